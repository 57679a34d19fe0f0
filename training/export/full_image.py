"""Any network of PyTorch as a model of whole images: NAME.onnx and card.json in a folder, which
`engine.full_image.model.FullImageModel` opens. One folder is one model.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import ModelError, ResearchError
from engine.full_image.model import FullImageModel
from engine.onnx_session import open_session
from training.export.patch_model import PARITY

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation of ImageNet's training pictures, as all of torchvision's classification weights expect them."""
SEED = 0
"""Decides random weights and the noise that parity is measured on: two exports are the same."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How images are made ready for a network, and its output is made a vector; the card tells the engine
    (`engine.full_image.card`)."""

    size: tuple[int, int]
    """Height and width in pixels."""
    mean: Sequence[float] = IMAGENET_MEAN
    """What is taken off the RGB values, which are 0 to 1."""
    std: Sequence[float] = IMAGENET_STD
    """What they are divided by then."""
    resize: str = "letterbox"
    """How an image comes to `size`: one of the card's ways."""
    crop_share: float = 1.0
    """Share of the shorter side that "crop" keeps."""
    pooling: str | None = None
    """One of the card's ways to make the output a vector; None takes it as it is where it has two axes, else its
    mean."""


def export_module(
    module: nn.Module, out: Path, *, name: str, reading: Reading, opset: int = 17, about: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Writes NAME.onnx and card.json of any network (N, 3, H, W) float32 -> (N, D), (N, C, h, w) or (N, T, D) into
    `out`; gives the card, in which `about.parity_to_pytorch` is the largest difference of an element of two unit
    vectors of noise.

    Raises ResearchError where the network cannot be exported, differs by more than PARITY from PyTorch, or where `out`
    holds another model; nothing is written then.
    """
    if Path(name).name != name or not name.strip(". "):
        raise ResearchError(f"{name!r} is no file name")
    refuse_other_model(out / "card.json", f"{name}.onnx")
    module = module.eval().float()
    # Three images, because a batch of one would hide an axis that the trace took for a constant.
    noise = torch.randn(3, 3, *reading.size, generator=torch.Generator().manual_seed(SEED))
    expected = _forward(module, noise, name)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as work:
        network = Path(work) / f"{name}.onnx"
        _write_onnx(module, noise[:2], network, opset=opset)
        difference = parity(network, noise, expected)
        if difference > PARITY:
            raise ResearchError(
                f"{name} as ONNX differs from PyTorch by {difference:.2g}, more than {PARITY:g}: not written"
            )
        card: dict[str, Any] = {
            "name": name,
            "network": network.name,
            "input": "images",
            "output": "features",
            "size": list(reading.size),
            "layout": "NCHW",
            "dtype": "float32",
            "mean": list(reading.mean),
            "std": list(reading.std),
            "colour": "RGB",
            "resize": reading.resize,
            "crop_share": reading.crop_share,
            "pooling": reading.pooling or ("none" if expected.ndim == 2 else "mean"),
            "views": ["whole"],
            "about": {
                **(about or {}),
                "parameters": sum(p.numel() for p in module.parameters()),
                "opset": opset,
                "parity_to_pytorch": difference,
                "exported_with": f"torch {torch.__version__}",
            },
        }
        written = Path(work) / "card.json"
        written.write_text(json.dumps(card, indent=2) + "\n")
        try:
            card["dimension"] = FullImageModel(Path(work)).dimension
        except ModelError as error:
            raise ResearchError(f"{name} cannot be used as a full-image model: {error}") from error
        written.write_text(json.dumps(card, indent=2) + "\n")
        network.replace(out / network.name)
        written.replace(out / "card.json")
    return card


def parity(network: Path, images: Tensor, expected: Tensor) -> float:
    """Largest difference between elements of ONNX Runtime's and PyTorch's outputs, each image's as a unit vector."""
    session = open_session(network, threads=1, providers=("CPUExecutionProvider",))
    found = session.run(None, {"images": images.numpy()})[0]
    if found.shape != tuple(expected.shape):
        raise ResearchError(f"the exported network gives {found.shape}, PyTorch {tuple(expected.shape)}: not written")
    one, other = (a.reshape(len(a), -1).astype(np.float64) for a in (found, expected.numpy()))
    one, other = (a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12) for a in (one, other))
    return float(np.abs(one - other).max())


def refuse_other_model(card: Path, network: str) -> None:
    """Raises ResearchError where a folder's card is that of another network, such as the shipped one."""
    if not card.exists():
        return
    try:
        found = json.loads(card.read_text("utf-8"))["network"]
    except (OSError, ValueError, KeyError, TypeError):
        found = None
    if found != network:
        raise ResearchError(f"{card} belongs to another model ({found}): one folder holds one model, give another")


def _forward(module: nn.Module, images: Tensor, name: str) -> Tensor:
    try:
        with torch.no_grad():
            output = module(images)
    except (RuntimeError, AssertionError, ValueError) as error:
        size = " x ".join(str(side) for side in images.shape[2:])
        raise ResearchError(f"{name} does not read images of {size} pixels: {str(error).splitlines()[0]}") from error
    if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4) or len(output) != len(images):
        raise ResearchError(f"{name} gives no tensor of two to four axes, the first one for the images")
    if not torch.isfinite(output).all():
        raise ResearchError(f"{name} gives values that are no numbers")
    return output.float()


def _write_onnx(module: nn.Module, images: Tensor, path: Path, *, opset: int) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the TorchScript exporter needs no further package, and says it is old
            torch.onnx.export(
                module,
                (images,),
                str(path),
                dynamo=False,
                opset_version=opset,
                input_names=["images"],
                output_names=["features"],
                dynamic_axes={"images": {0: "N"}, "features": {0: "N"}},
            )
    except (RuntimeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ResearchError(f"PyTorch cannot export this network with opset {opset}: {reason}") from error
