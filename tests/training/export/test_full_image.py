"""Any network of PyTorch as a full-image model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.describe.patch_model import PatchModel
from engine.errors import ModelError, ResearchError
from engine.full_image.model import FullImageModel, FullImageSettings, best_view, to_input

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'obverse[train]'")

from torch import nn  # noqa: E402  # needs torch

from tests.support.small_networks import SMALL, Small, blocks, small  # noqa: E402
from training.export.full_image import Reading, export_module  # noqa: E402
from training.export.patch_model import PARITY  # noqa: E402


class TestExportModule:
    @pytest.mark.parametrize(("ends", "pooling"), [("map", "mean"), ("vector", "none"), ("tokens", "mean")])
    def test_the_same_descriptors(self, tmp_path: Path, ends: str, pooling: str) -> None:
        """The engine's descriptors are those that PyTorch gives for the same pixels, pooled and of unit length."""
        module = small(ends=ends)
        card = export_module(module, tmp_path, name="small", reading=SMALL, about={"licence": "none"})
        assert card["pooling"] == pooling
        assert card["dimension"] == 16
        assert card["about"]["licence"] == "none"
        assert card["about"]["parity_to_pytorch"] <= PARITY <= 1e-4
        assert card["about"]["parameters"] == sum(p.numel() for p in module.parameters())
        model = FullImageModel(tmp_path)
        pixels = np.stack([to_input(picture, model.card) for picture in blocks()])
        assert pixels.shape == (4, 3, 40, 32)
        with torch.no_grad():
            expected = module.features(torch.from_numpy(pixels)).mean((2, 3))
        expected = nn.functional.normalize(expected, dim=1).numpy()
        found = np.concatenate([model.describe_picture(picture) for picture in blocks()])
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert (best_view(model.describe(blocks()[2]), found).argmax()) == 2

    def test_card_file(self, tmp_path: Path) -> None:
        """The file holds what is given back, beside the network and nothing else; a second export replaces it."""
        for seed in (1, 2):
            torch.manual_seed(seed)
            card = export_module(Small(), tmp_path, name="small", reading=SMALL, opset=15)
            assert json.loads((tmp_path / "card.json").read_text()) == card
            assert sorted(p.name for p in tmp_path.iterdir()) == ["card.json", "small.onnx"]
        assert card["about"]["opset"] == 15

    def test_views_of_an_exported_model(self, tmp_path: Path) -> None:
        """Any number of images goes into one inference."""
        export_module(small(), tmp_path, name="small", reading=SMALL)
        views = ("whole", "grid 2x2 0.6", "rotate 90/180/270")
        model = FullImageModel(tmp_path, FullImageSettings(views=views))
        assert model.describe(blocks()[0]).shape == (8, 16)

    def test_what_is_chosen(self, tmp_path: Path) -> None:
        """Size, normalisation, resize and pooling come into the card."""
        chosen = Reading(size=(24, 30), mean=(0, 0, 0), std=(1, 1, 1), resize="crop", crop_share=0.8, pooling="gem")
        card = export_module(small(), tmp_path, name="small", reading=chosen)
        fields = ("size", "mean", "std", "resize", "crop_share", "pooling")
        assert {key: card[key] for key in fields} == {
            "size": [24, 30],
            "mean": [0, 0, 0],
            "std": [1, 1, 1],
            "resize": "crop",
            "crop_share": 0.8,
            "pooling": "gem",
        }
        assert FullImageModel(tmp_path).card.gem_power == 3

    def test_another_model_is_not_replaced(self, tmp_path: Path) -> None:
        """A folder with the card of another network, such as the shipped one, is left as it is."""
        (tmp_path / "card.json").write_text('{"network": "patch.onnx"}')
        with pytest.raises(ResearchError, match="belongs to another model"):
            export_module(small(), tmp_path, name="small", reading=SMALL)
        assert (tmp_path / "card.json").read_text() == '{"network": "patch.onnx"}'
        assert [p.name for p in tmp_path.iterdir()] == ["card.json"]

    def test_what_cannot_be_exported(self, tmp_path: Path) -> None:
        """Refused before anything is written: images too small, values that are no numbers, wrong fields, names."""

        class Nothing(nn.Module):
            def forward(self, images: Any) -> Any:
                return images.flatten(1) * float("nan")

        class Scalar(nn.Module):
            def forward(self, images: Any) -> Any:
                return images.mean()

        out = tmp_path / "out"
        for module, reading, name, reason in (
            (small(), Reading(size=(4, 4)), "small", "does not read images of 4 x 4 pixels"),
            (Nothing(), SMALL, "nothing", "no numbers"),
            (Scalar(), SMALL, "scalar", "no tensor of two to four axes"),
            (small(), Reading(size=(32, 32), resize="pad"), "small", "resize must be one of"),
            (small(), Reading(size=(32, 32), pooling="none"), "small", "pooling 'none' needs 2 axes"),
            (small(), SMALL, "a/small", "no file name"),
        ):
            with pytest.raises(ResearchError, match=reason):
                export_module(module, out, name=name, reading=reading)
        assert not out.exists() or list(out.iterdir()) == []

    def test_a_difference_is_found(self, tmp_path: Path) -> None:
        """A network that the tracer freezes to its example's numbers differs on other images, and is not written."""

        class Frozen(nn.Module):
            def forward(self, images: Any) -> Any:
                return images.flatten(1) + torch.tensor(images.detach().numpy().copy()).flatten(1).mean()

        with pytest.raises(ResearchError, match="differs from PyTorch"):
            export_module(Frozen(), tmp_path, name="frozen", reading=SMALL)
        assert list(tmp_path.iterdir()) == []

    def test_is_no_patch_model(self, tmp_path: Path) -> None:
        """The engine's own `model` setting refuses a full-image model, naming what its card lacks."""
        export_module(small(), tmp_path, name="small", reading=SMALL)
        with pytest.raises(ModelError, match="lacks vocabulary"):
            PatchModel(tmp_path)
