"""The patch network."""

from __future__ import annotations

import pytest

from engine.errors import ResearchError

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")

from training.learn.network import PatchNetwork  # noqa: E402  # both need torch
from training.learn.train import TrainingSettings  # noqa: E402


class TestNetwork:
    def test_descriptors(self) -> None:
        """Patches become unit vectors; brightness and contrast hardly matter; plain patches are no trouble."""
        network = PatchNetwork(channels=(8, 8, 16), strides=(2, 2, 2), dimension=32).eval()
        patches = torch.randint(60, 120, (20, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
        with torch.no_grad():
            a, b = network(patches), network((patches.float() * 1.5 + 20).to(torch.uint8))
            plain = network(torch.full((1, 32, 32), 77, dtype=torch.uint8))
        assert a.shape == (20, 32)
        assert torch.allclose(a.norm(dim=1), torch.ones(20), atol=1e-4)
        assert (a * b).sum(1).min() > 0.95
        assert torch.isfinite(plain).all()

    @pytest.mark.parametrize(
        ("channels", "strides"), [((8, 8), (2, 2, 2)), ((8, 8, 8), (2, 2, 1)), ((8, 0, 8), (2, 2, 2)), ((), ())]
    )
    def test_no_such_shape(self, channels: tuple[int, ...], strides: tuple[int, ...]) -> None:
        """What makes no network is refused by the settings already, before any pair is made."""
        with pytest.raises(ResearchError, match="channels"):
            PatchNetwork(channels=channels, strides=strides)
        with pytest.raises(ResearchError, match="channels"):
            TrainingSettings(channels=channels, strides=strides)
