"""A patch network as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'obverse[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'obverse[train]'")

from training.export.patch_model import PARITY, export_network  # both need torch
from training.learn.network import PatchNetwork


class TestNetwork:
    def test_export(self, tmp_path: Path) -> None:
        """The ONNX file gives what PyTorch gives, at any batch size."""
        network = PatchNetwork(channels=(8, 8, 16), strides=(2, 2, 2), dimension=32).eval()
        assert export_network(network, tmp_path / "n.onnx") <= PARITY <= 1e-4
