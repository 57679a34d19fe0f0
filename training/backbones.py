"""Pretrained backbones as models of whole images: torchvision's networks without their classifier, or any module.

A folder is one model: NAME.onnx and card.json, which `engine.full_image.FullImageModel` opens.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import json
import sys
import tempfile
import urllib.error
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import ModelError
from engine.full_image import FullImageModel
from engine.runtime import open_session
from training.export import PARITY

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's training pictures, as all of torchvision's classification weights expect them."""
HEADS = ("fc", "classifier", "head", "heads")
"""Where torchvision's classification networks keep their classifier."""
SEED = 0
"""Of random weights, so that two exports are the same."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a network reads. size: (H, W) in pixels; mean, std: of RGB values 0 to 1; resize, crop_share, pooling: as
    in engine/full_image_card.py; pooling None takes the output as it is where it has two axes, and else its mean."""

    size: tuple[int, int]
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    resize: str = "letterbox"
    crop_share: float = 1.0
    pooling: str | None = None


def export_backbone(
    name: str,
    out: Path,
    *,
    weights: str = "default",
    size: int | None = None,
    resize: str = "letterbox",
    opset: int = 17,
) -> dict[str, Any]:
    """Writes torchvision's `name` without its classifier into the folder `out`; gives the card.

    weights: "none" for random ones of a fixed seed, "default" for torchvision's best, which are downloaded, or a file
    of a state dictionary. size: pixels on a side; None takes the weights' own, 224 where they tell of none.
    Raises ValueError for what cannot be had or exported, ModuleNotFoundError without torchvision.
    """
    models = torchvision_models()
    known = models.list_models(module=models)
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, known, n=3, cutoff=0))
        raise ValueError(f"torchvision has no classification backbone {name!r}; the nearest are {near}")
    about: dict[str, Any] = {"architecture": f"torchvision {name}, without its classifier"}
    reading = Reading(size=(size or 224, size or 224), resize=resize)
    with _quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        if weights == "none":
            module = models.get_model(name, weights=None)
            about["weights"] = f"random, seed {SEED}"
        elif weights == "default":
            chosen = models.get_model_weights(name).DEFAULT
            module = _downloaded(models, name, chosen)
            preset = chosen.transforms()
            side, shorter = int(preset.crop_size[0]), int(preset.resize_size[0])
            reading = dataclasses.replace(
                reading,
                size=(size or side, size or side),
                mean=tuple(preset.mean),
                std=tuple(preset.std),
                crop_share=side / shorter if resize == "crop" else 1.0,
            )
            about |= {"weights": str(chosen), "origin": chosen.url}
        else:
            module = models.get_model(name, weights=None)
            about |= {"weights": Path(weights).name}
        removed = take_classifier_off(module)
        if weights not in ("none", "default"):
            load_weights(module, Path(weights), without=removed)
    return export_module(module, out, name=name, reading=reading, opset=opset, about=about)


def export_module(
    module: nn.Module, out: Path, *, name: str, reading: Reading, opset: int = 17, about: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Writes NAME.onnx and card.json of any network (N, 3, H, W) float32 -> (N, D), (N, C, h, w) or (N, T, D) into
    `out`; gives the card, in which `about.parity_to_pytorch` is the largest difference of an element of two unit
    vectors of noise.

    Raises ValueError where the network cannot be exported, differs by more than PARITY from PyTorch, or where `out`
    holds another model; nothing is written then.
    """
    if Path(name).name != name or not name.strip(". "):
        raise ValueError(f"{name!r} is no file name")
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
            raise ValueError(
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
            raise ValueError(f"{name} cannot be used as a full-image model: {error}") from error
        written.write_text(json.dumps(card, indent=2) + "\n")
        network.replace(out / network.name)
        written.replace(out / "card.json")
    return card


def take_classifier_off(module: nn.Module) -> str:
    """Replaces the layer that gives the classes by nothing, in place; gives its name.

    Only that layer: what stands before it, a norm, a pooling or a hidden layer, makes the features. Raises ValueError.
    """
    for head in HEADS:
        found = getattr(module, head, None)
        if not isinstance(found, nn.Module):
            continue
        layers = [path for path, layer in found.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        if layers:
            path = f"{head}.{layers[-1]}".rstrip(".")
            parent, _, last = path.rpartition(".")
            setattr(module.get_submodule(parent), last, nn.Identity())
            return path
    raise ValueError(f"{type(module).__name__} has no classifier under any of the names {', '.join(HEADS)}")


def load_weights(module: nn.Module, file: Path, *, without: str) -> None:
    """Loads a state dictionary, or a checkpoint that holds one as `state_dict` or `model`, strictly; the layer
    `without` may be in it, of any number of classes. No code of the file is run. Raises ValueError."""
    if not file.is_file():
        raise ValueError(f"{file} is no file of weights; give one, or 'none' or 'default'")
    try:
        state: Any = torch.load(file, weights_only=True, map_location="cpu")
    except Exception as error:  # unpickling may raise nearly anything, and PyTorch advises to run the file's code
        raise ValueError(
            f"{file} cannot be read as weights: tensors by name, saved by torch.save, are needed"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{file} holds no state dictionary: names and tensors are expected")
    try:
        module.load_state_dict({k: v for k, v in state.items() if not k.startswith(f"{without}.")})
    except RuntimeError as error:
        raise ValueError(f"{file} does not fit: {' '.join(str(error).split())[:400]}") from error


def parity(network: Path, images: Tensor, expected: Tensor) -> float:
    """Largest difference between elements of ONNX Runtime's and PyTorch's outputs, each image's as a unit vector."""
    session = open_session(network, threads=1, providers=("CPUExecutionProvider",))
    found = session.run(None, {"images": images.numpy()})[0]
    if found.shape != tuple(expected.shape):
        raise ValueError(f"the exported network gives {found.shape}, PyTorch {tuple(expected.shape)}: not written")
    one, other = (a.reshape(len(a), -1).astype(np.float64) for a in (found, expected.numpy()))
    one, other = (a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12) for a in (one, other))
    return float(np.abs(one - other).max())


def torchvision_models() -> Any:
    """torchvision.models. Raises ModuleNotFoundError where it is not installed, ValueError where it cannot be loaded.

    PyPI's wheel for Linux is built for CUDA. Beside a torch for CPUs its compiled operators cannot be loaded, and its
    import fails, because it adds to two of them. No classifier uses these: they are declared, and it is imported again.
    """
    with _quiet():
        try:
            try:
                return importlib.import_module("torchvision.models")
            except RuntimeError as error:
                if "does not exist" not in str(error):
                    raise
            for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
                del sys.modules[name]
            for operator in ("nms", "qnms"):
                signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                torch.library.define(f"torchvision::{operator}", signature)
            return importlib.import_module("torchvision.models")
        except ModuleNotFoundError:
            raise
        except (RuntimeError, ImportError, AttributeError, OSError) as error:
            raise ValueError(
                f"torchvision cannot be loaded beside torch {torch.__version__} ({error}): "
                "install the version that belongs to this torch"
            ) from error


def refuse_other_model(card: Path, network: str) -> None:
    """Raises ValueError where a folder's card is that of another network, such as the shipped one."""
    if not card.exists():
        return
    try:
        found = json.loads(card.read_text("utf-8"))["network"]
    except (OSError, ValueError, KeyError, TypeError):
        found = None
    if found != network:
        raise ValueError(f"{card} belongs to another model ({found}): one folder holds one model, give another")


def _downloaded(models: Any, name: str, chosen: Any) -> nn.Module:
    try:
        module: nn.Module = models.get_model(name, weights=chosen)
    except (urllib.error.URLError, OSError, RuntimeError) as error:  # RuntimeError: the file's hash is wrong
        raise ValueError(
            f"the weights of {name} cannot be had from {chosen.url} ({error}): "
            "download them elsewhere and give the file with --weights, or export random ones with --weights none"
        ) from error
    return module


def _forward(module: nn.Module, images: Tensor, name: str) -> Tensor:
    try:
        with torch.no_grad():
            output = module(images)
    except (RuntimeError, AssertionError, ValueError) as error:
        size = " x ".join(str(side) for side in images.shape[2:])
        raise ValueError(f"{name} does not read images of {size} pixels: {str(error).splitlines()[0]}") from error
    if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4) or len(output) != len(images):
        raise ValueError(f"{name} gives no tensor of two to four axes, the first one for the images")
    if not torch.isfinite(output).all():
        raise ValueError(f"{name} gives values that are no numbers")
    return output.float()


def _write_onnx(module: nn.Module, images: Tensor, path: Path, *, opset: int) -> None:
    try:
        with _quiet():  # the TorchScript exporter needs no further package, and says that it is old
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
    except (RuntimeError, ValueError, torch.onnx.OnnxExporterError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"PyTorch cannot export this network with opset {opset}: {reason}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of torchvision's and the exporter's own making."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
