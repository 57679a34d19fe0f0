"""The comparator: a picture and a registered photo of it, to a judgement of each cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.verify.registered import CHANNELS

OUTPUTS = 3
"""Same print, another print, not to be seen."""
_CHROMA = 24.0
"""Lab units of chroma that count as one."""


def _block(inputs: int, outputs: int, stride: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Comparator(nn.Module):
    """Two convolutions see each side by itself, with the same weights; then both, and what they differ by, are seen
    together (as crops of a print and its design are merged early in arXiv 1801.01051). A cell of the output is 16
    pixels; it sees about 200.

    Input (N, 7, 256, 256) uint8 (`engine.verify.registered`); output (N, 3, 16, 16) float32 logits.
    """

    def __init__(self, *, width: int = 48) -> None:
        super().__init__()
        self.width = width
        self.side = nn.Sequential(_block(4, 16, 2), _block(16, 24, 2))
        self.both = nn.Sequential(
            _block(3 * 24, width, 2),
            _block(width, width, 1),
            _block(width, 2 * width, 2),
            _block(2 * width, 2 * width, 1, 2),
            _block(2 * width, 2 * width, 1),
        )
        self.judge = nn.Conv2d(2 * width, OUTPUTS, 1)

    def forward(self, frames: Tensor) -> Tensor:
        assert frames.shape[1] == CHANNELS
        seen = (frames[:, 6:] > 127).float()
        ours, theirs = (self.side(_normalised(frames[:, k : k + 3], seen)) for k in (0, 3))
        judged: Tensor = self.judge(self.both(torch.cat([ours, theirs, (ours - theirs).abs()], 1)))
        return judged


def _normalised(lab: Tensor, seen: Tensor) -> Tensor:
    """(N, 4, H, W): lightness with mean 0 and spread 1 where the photo covers the frame, chroma less its mean there,
    and the cover itself: exposure and white balance are the light's, not the print's."""
    values = lab.float()
    area = seen.sum((2, 3), keepdim=True) + 1.0
    mean = (values * seen).sum((2, 3), keepdim=True) / area
    values = (values - mean) * seen
    light, chroma = values[:, :1], values[:, 1:]
    spread = ((light**2).sum((2, 3), keepdim=True) / area).sqrt()
    return torch.cat([light / (spread + 4.0), chroma / _CHROMA, seen], 1)
