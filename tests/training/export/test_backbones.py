"""torchvision's backbones as full-image models, with random weights."""

from __future__ import annotations

import importlib.util
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from engine.errors import ResearchError
from engine.full_image.model import FullImageModel, to_input

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'obverse[train]'")

from torch import nn  # noqa: E402  # needs torch

from tests.support.small_networks import Small, blocks  # noqa: E402
from training.export import backbones  # noqa: E402
from training.export.backbones import export_backbone, take_classifier_off  # noqa: E402
from training.export.patch_model import PARITY  # noqa: E402

NAME = "squeezenet1_1"
"""Of torchvision's networks one of the quickest to export."""
needs_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None,
    reason="torchvision is not installed: pip install 'obverse[train]'",
)


def obverse(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "160", "NO_COLOR": "1"})


class TestClassifier:
    def test_only_the_last_layer(self) -> None:
        """What makes the features stays; the layer that gives the classes goes."""
        module = nn.Module()
        module.classifier = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 1000))
        assert take_classifier_off(module) == "classifier.2"
        assert module.classifier(torch.ones(1, 8)).shape == (1, 6)
        module = nn.Module()
        module.fc = nn.Linear(8, 3)
        assert take_classifier_off(module) == "fc"
        assert module.fc(torch.ones(1, 8)).shape == (1, 8)

    def test_none(self) -> None:
        """A network without a classifier is refused."""
        with pytest.raises(ResearchError, match="Small has no classifier"):
            take_classifier_off(Small())


@needs_torchvision
class TestTorchvision:
    def test_random_weights(self, tmp_path: Path) -> None:
        """With a fixed seed: two exports describe alike, and torch's own random numbers go on as if nothing was."""
        torch.manual_seed(9)
        expected = torch.rand(3)
        torch.manual_seed(9)
        cards = [export_backbone(NAME, tmp_path / n, weights="none", size=64) for n in "ab"]
        assert torch.equal(torch.rand(3), expected)
        assert cards[0]["size"] == [64, 64]
        assert cards[0]["dimension"] == 512
        assert cards[0]["about"]["parity_to_pytorch"] <= PARITY
        one, other = (FullImageModel(tmp_path / n).describe_picture(blocks()[0]) for n in "ab")
        assert (one == other).all()

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "dimension"),
        [
            ("resnet18", 512),
            ("mobilenet_v3_small", 1024),
            ("regnet_y_400mf", 440),
            ("efficientnet_b0", 1280),
            ("shufflenet_v2_x0_5", 1024),
            ("densenet121", 1024),
            ("convnext_tiny", 768),
            ("swin_t", 768),
        ],
    )
    def test_families(self, tmp_path: Path, name: str, dimension: int) -> None:
        """However a network's classifier is built in, the features before it are what is exported."""
        card = export_backbone(name, tmp_path, weights="none", size=64)
        assert card["dimension"] == dimension
        assert card["about"]["parity_to_pytorch"] <= PARITY

    def test_weights_of_a_file(self, tmp_path: Path) -> None:
        """Of any number of classes, by themselves or in a checkpoint; what is loaded is what describes."""
        models = backbones.torchvision_models()
        torch.manual_seed(3)
        module = models.get_model(NAME, weights=None, num_classes=7).eval()
        torch.save(module.state_dict(), tmp_path / "plain.pth")
        torch.save({"state_dict": module.state_dict(), "epoch": 3}, tmp_path / "checkpoint.pth")
        take_classifier_off(module)
        for file in ("plain.pth", "checkpoint.pth"):
            out = tmp_path / file[:5]
            card = export_backbone(NAME, out, weights=str(tmp_path / file), size=64)
            assert card["about"]["weights"] == file
            model = FullImageModel(out)
            with torch.no_grad():
                expected = module(torch.from_numpy(to_input(blocks()[0], model.card)[None]))
            found = model.describe_picture(blocks()[0])
            np.testing.assert_allclose(found, nn.functional.normalize(expected, dim=1).numpy(), atol=1e-4)

    def test_default_weights(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """torchvision's weights come from its cache where they are, with their own size and normalisation; the file
        is put there by this test."""
        models = backbones.torchvision_models()
        chosen = models.get_model_weights(NAME).DEFAULT
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        cached = tmp_path / "hub" / "checkpoints" / chosen.url.rsplit("/", 1)[1]
        cached.parent.mkdir(parents=True)
        torch.manual_seed(4)
        torch.save(models.get_model(NAME, weights=None).state_dict(), cached)
        card = export_backbone(NAME, tmp_path / "out", resize="crop")
        assert card["about"] | {"weights": str(chosen), "origin": chosen.url} == card["about"]
        assert card["size"] == [224, 224]
        assert card["crop_share"] == 224 / 256
        assert card["mean"] == [0.485, 0.456, 0.406]

    def test_no_connection(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where weights cannot be downloaded, here for a proxy that is not there, the error says what to do."""
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(urllib.request, "_opener", None)  # an earlier one would know of no proxy
        with pytest.raises(ResearchError, match="give the file with --weights"):
            export_backbone(NAME, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_weights_that_do_not_fit(self, tmp_path: Path) -> None:
        """Another network's weights, and files that hold none, are refused with the reason, and nothing is written."""
        models = backbones.torchvision_models()
        other = models.get_model("shufflenet_v2_x0_5", weights=None).state_dict()
        torch.save(other, tmp_path / "other.pth")
        torch.save([1, 2], tmp_path / "list.pth")
        torch.save({"model": {}}, tmp_path / "empty.pth")
        (tmp_path / "text.pth").write_text("text")
        for file, reason in (
            ("other.pth", "does not fit: .*Missing key"),
            ("list.pth", "holds no state dictionary"),
            ("empty.pth", "holds no state dictionary"),
            ("text.pth", "cannot be read as weights"),
            ("missing.pth", "no file of weights"),
        ):
            with pytest.raises(ResearchError, match=reason):
                export_backbone(NAME, tmp_path / "out", weights=str(tmp_path / file), size=64)
        assert not (tmp_path / "out").exists()

    def test_unknown_name(self, tmp_path: Path) -> None:
        """A name that torchvision does not know is answered with the nearest ones."""
        with pytest.raises(ResearchError, match="nearest are resnet50"):
            export_backbone("resnet5", tmp_path, weights="none")

    def test_command(self, tmp_path: Path) -> None:
        """`obverse export-backbone` writes a model that opens, and tells what it is."""
        out = tmp_path / "model"
        done = obverse(
            "export-backbone",
            NAME,
            "--out",
            out,
            "--weights",
            "none",
            "--size",
            64,
            "--opset",
            16,
            "--resize",
            "stretch",
        )
        assert done.exit_code == 0, done.output
        assert "512 numbers an image, differs from PyTorch by" in done.stdout
        model = FullImageModel(out)
        assert (model.dimension, model.card.resize, model.card.about["opset"]) == (512, "stretch", 16)
        found = model.describe(blocks()[1])
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)

    def test_command_refuses(self, tmp_path: Path) -> None:
        """One line on stderr and status 1, or 2 for an option outside its rule."""
        for arguments, status, reason in (
            (("resnet5", "--weights", "none"), 1, "no classification backbone 'resnet5'"),
            ((NAME, "--weights", tmp_path / "none.pth"), 1, "no file of weights"),
            ((NAME, "--weights", "none", "--size", 8), 2, "--size"),
            ((NAME, "--weights", "none", "--resize", "pad"), 2, "--resize"),
        ):
            done = obverse("export-backbone", *arguments, "--out", tmp_path / "out")
            assert done.exit_code == status
            assert reason in done.stderr
        assert not (tmp_path / "out").exists()


def test_without_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says what to install."""
    for name in [*(n for n in sys.modules if n.split(".")[0] == "torchvision"), "torchvision", "torchvision.models"]:
        monkeypatch.setitem(sys.modules, name, None)  # what Python takes for "cannot be found"
    done = obverse("export-backbone", NAME, "--out", tmp_path)
    assert done.exit_code == 1
    assert "is missing: pip install 'obverse[train]'" in done.stderr
