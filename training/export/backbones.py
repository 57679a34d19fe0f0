"""torchvision's classification networks, without their classifier, as models of whole images."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import sys
import urllib.error
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import ResearchError
from training.export.full_image import SEED, Reading, export_module

HEADS = ("fc", "classifier", "head", "heads")
"""Where torchvision's classification networks keep their classifier."""


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
    Raises ResearchError for what cannot be had or exported, ModuleNotFoundError without torchvision.
    """
    models = torchvision_models()
    known = models.list_models(module=models)
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, known, n=3, cutoff=0))
        raise ResearchError(f"torchvision has no classification backbone {name!r}; the nearest are {near}")
    about: dict[str, Any] = {"architecture": f"torchvision {name}, without its classifier"}
    reading = Reading(size=(size or 224, size or 224), resize=resize)
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # older networks warn of how long their random weights take
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


def take_classifier_off(module: nn.Module) -> str:
    """Replaces the layer that gives the classes by nothing, in place; gives its name.

    Only that layer: what stands before it, a norm, a pooling or a hidden layer, makes the features. Raises
    ResearchError.
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
    raise ResearchError(f"{type(module).__name__} has no classifier under any of the names {', '.join(HEADS)}")


def load_weights(module: nn.Module, file: Path, *, without: str) -> None:
    """Loads a state dictionary, or a checkpoint that holds one as `state_dict` or `model`, strictly; the layer
    `without` may be in it, of any number of classes. No code of the file is run. Raises ResearchError."""
    if not file.is_file():
        raise ResearchError(f"{file} is no file of weights; give one, or 'none' or 'default'")
    try:
        state: Any = torch.load(file, weights_only=True, map_location="cpu")
    except Exception as error:  # unpickling may raise nearly anything, and PyTorch advises to run the file's code
        raise ResearchError(
            f"{file} cannot be read as weights: tensors by name, saved by torch.save, are needed"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ResearchError(f"{file} holds no state dictionary: names and tensors are expected")
    try:
        module.load_state_dict({k: v for k, v in state.items() if not k.startswith(f"{without}.")})
    except RuntimeError as error:
        raise ResearchError(f"{file} does not fit: {' '.join(str(error).split())[:400]}") from error


def torchvision_models() -> Any:
    """torchvision.models. Raises ModuleNotFoundError where it is not installed, ResearchError where it cannot be
    loaded.

    PyPI's wheel for Linux is built for CUDA. Beside a torch for CPUs its compiled operators cannot be loaded, and its
    import fails, because it adds to two of them. No classifier uses these: they are declared, and it is imported again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a decoder for images that is not there
        try:
            return importlib.import_module("torchvision.models")
        except RuntimeError as error:
            if "does not exist" not in str(error):
                raise _unusable(error) from error
        except ModuleNotFoundError:
            raise
        except (ImportError, OSError) as error:
            raise _unusable(error) from error
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float threshold) -> Tensor")
        try:
            return importlib.import_module("torchvision.models")
        except (RuntimeError, ImportError) as error:
            raise _unusable(error) from error


def _unusable(error: Exception) -> ResearchError:
    return ResearchError(
        f"torchvision cannot be loaded beside torch {torch.__version__} ({error}): "
        "install the version that belongs to this torch"
    )


def _downloaded(models: Any, name: str, chosen: Any) -> nn.Module:
    try:
        module: nn.Module = models.get_model(name, weights=chosen)
    except (urllib.error.URLError, OSError, RuntimeError) as error:  # RuntimeError: the file's hash is wrong
        raise ResearchError(
            f"the weights of {name} cannot be had from {chosen.url} ({error}): "
            "download them elsewhere and give the file with --weights, or export random ones with --weights none"
        ) from error
    return module
