"""A network that is exported within a second, and pictures for it. Needs torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from training.export.full_image import Reading

SMALL = Reading(size=(40, 32))


class Small(nn.Module):
    """Two convolutions; a map (N, 16, h, w), a vector (N, 16) or tokens (N, T, 16)."""

    def __init__(self, *, ends: str = "map") -> None:
        super().__init__()
        self.ends = ends
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU()
        )

    def forward(self, images: Any) -> Any:
        x = self.features(images)
        if self.ends == "map":
            return x
        return x.mean((2, 3)) if self.ends == "vector" else x.flatten(2).transpose(1, 2)


def small(**options: Any) -> Small:
    torch.manual_seed(5)
    return Small(**options)


def blocks(count: int = 4) -> list[np.ndarray]:
    """Blocks of colour, different in each."""
    rng = np.random.default_rng(2)
    return [np.kron(rng.integers(0, 256, (6, 5, 3), np.uint8), np.ones((20, 20, 1), np.uint8)) for _ in range(count)]
