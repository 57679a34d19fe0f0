"""Networks of whole images with a few operators, and their cards. Tests that import this are skipped without onnx."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.full_image.model import FullImageModel

onnx = pytest.importorskip("onnx", reason="onnx makes the networks of these tests: pip install 'obverse[train]'")

from onnx import TensorProto, helper  # noqa: E402  # after the check above

CARD: dict[str, Any] = {
    "name": "tiny",
    "network": "tiny.onnx",
    "input": "image",
    "output": "vector",
    "size": [8, 12],
    "layout": "NCHW",
    "dtype": "float32",
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.25, 0.5],
    "colour": "RGB",
    "resize": "stretch",
    "pooling": "none",
}
UINT8 = {"dtype": "uint8", "layout": "NHWC", "mean": None, "std": None}
NCHW, NHWC = ["N", 3, 8, 12], ["N", 8, 12, 3]
FLATTEN = (("Cast", {"to": TensorProto.FLOAT}), ("Flatten", {}))


def network(
    path: Path,
    *operators: tuple[str, dict[str, Any]],
    shape: list[Any] = NCHW,
    kind: int = TensorProto.FLOAT,
    rank: int = 2,
    gives: int = TensorProto.FLOAT,
) -> Path:
    """An ONNX file: `image` through the operators, one after the other, to `vector`."""
    names = ["image", *(f"x{n}" for n in range(1, len(operators))), "vector"]
    nodes = [helper.make_node(o, [names[n]], [names[n + 1]], **a) for n, (o, a) in enumerate(operators)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("vector", gives, [None] * rank)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def write_card(path: Path, **changes: Any) -> Path:
    """CARD with changes; None takes a field out."""
    card = {key: value for key, value in (CARD | changes).items() if value is not None}
    path.write_text(json.dumps(card))
    return path


def model_of(folder: Path, *operators: tuple[str, dict[str, Any]], **changes: Any) -> FullImageModel:
    """A model in a folder; `shape`, `kind`, `rank`, `gives` are the network's, all else the card's."""
    of_network = {key: changes.pop(key) for key in ("shape", "kind", "rank", "gives") if key in changes}
    settings = changes.pop("settings", None)
    network(folder / "tiny.onnx", *(operators or FLATTEN), **of_network)
    write_card(folder / "card.json", **changes)
    return FullImageModel(folder, settings)


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values)
