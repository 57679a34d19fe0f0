"""The patch network: 32x32 grey patches to 64 numbers on the unit sphere."""

from __future__ import annotations

import math

from torch import Tensor, nn

from engine.errors import ResearchError


def check_shape(channels: tuple[int, ...], strides: tuple[int, ...]) -> None:
    """Raises ResearchError where they make no PatchNetwork."""
    if not channels or min(channels + strides) < 1:
        raise ResearchError(f"channels {channels} and strides {strides}: at least one, each 1 or more")
    if len(channels) != len(strides) or math.prod(strides) != 8:
        raise ResearchError(f"strides {strides} do not fit channels {channels}: one each, and their product is 8")


class PatchNetwork(nn.Module):
    """A HardNet-like stack (Mishchuk et al. 2017, section 3.2), narrower, and with two strides at the front:
    maps of full size cost half of HardNet's time and gave nothing measurable at this width, maps of half the size cost
    two fifths of what was left and gave little (docs/decisions/0011).

    channels, strides: of each 3x3 convolution; the strides' product is 8, so that a 4x4 map is left. Raises
    ResearchError otherwise. Input (N, 32, 32) uint8; output (N, dimension) float32, L2-normalised.
    """

    def __init__(
        self,
        *,
        channels: tuple[int, ...] = (16, 32, 64, 128),
        strides: tuple[int, ...] = (2, 2, 1, 2),
        dimension: int = 64,
    ) -> None:
        super().__init__()
        check_shape(channels, strides)
        self.channels, self.strides, self.dimension = channels, strides, dimension

        def block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            )

        self.features = nn.Sequential(*map(block, (1, *channels), channels, strides))
        self.project = nn.Sequential(
            nn.Dropout(0.1),
            nn.Conv2d(channels[-1], dimension, 4, bias=False),
            nn.BatchNorm2d(dimension, affine=False),
        )

    def forward(self, patches: Tensor) -> Tensor:
        x = patches.float().unsqueeze(1)
        mean = x.mean(dim=(2, 3), keepdim=True)
        spread = ((x - mean) ** 2).mean(dim=(2, 3), keepdim=True).sqrt()
        x = (x - mean) / (spread + 4.0)  # 4 grey levels: plain patches stay near zero instead of being noise
        x = self.project(self.features(x)).flatten(1)
        return nn.functional.normalize(x, dim=1)
