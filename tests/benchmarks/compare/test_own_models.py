"""Networks and matchers that users bring, in a comparison."""

from __future__ import annotations

import json
import types
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare.files import Prediction, read_rows
from benchmarks.compare.material import Material, gather
from benchmarks.compare.methods import matcher_method, parse_method
from benchmarks.compare.parts.matcher import Matcher
from benchmarks.compare.run.runner import run
from benchmarks.compare.settings import RunSettings
from benchmarks.sets import read_set
from engine.errors import ModelError, ResearchError
from tests.support.drawn_sets import make_set, photograph


@pytest.fixture
def material(tmp_path: Path) -> Material:
    return gather([read_set(make_set(tmp_path / "set", range(4)))], [])


class TestModels:
    """Networks made here, of the layouts that users bring."""

    def test_full_image(self, material: Material, tmp_path: Path) -> None:
        """onnx:PATH describes, lists and ranks; a file that is none is refused."""
        onnx = pytest.importorskip("onnx", reason="onnx makes this test's network: pip install 'obverse[train]'")
        model = flatten_model(onnx, tmp_path / "tiny.onnx")
        run(tmp_path / "out", material, [parse_method(f"onnx:{model}")], RunSettings(), command="test")
        rows = read_rows(tmp_path / "out" / "predictions.csv", Prediction)
        assert len(rows) == 16
        assert {r.method for r in rows} == {"onnx-tiny"}
        assert all(-1 <= r.score <= 1.0001 for r in rows)
        with pytest.raises(ModelError):
            run(tmp_path / "none", material, [parse_method("onnx:nowhere.onnx")], RunSettings(), command="test")

    def test_matcher(self, material: Material, tmp_path: Path) -> None:
        """A matcher that finds each grid point at its own place sees a picture in itself."""
        onnx = pytest.importorskip("onnx", reason="onnx makes this test's network: pip install 'obverse[train]'")
        path = matcher_model(onnx, tmp_path / "grid.onnx")
        matcher = Matcher(path)
        side = matcher.describe(photograph(1), photo=True)
        assert side["gray"].shape == (512, 416)
        assert side["size"].tolist() == [416, 512]
        picture, photo = matcher.match(side, side)
        assert np.array_equal(picture, photo)
        assert picture.tolist() == [[200.0, 20.0], [20.0, 200.0], [100.0, 90.0], [20.0, 20.0], [200.0, 200.0]]
        settings = RunSettings(matcher=path)
        run(tmp_path / "out", material, [matcher_method(str(path))], settings, command="test")
        rows = [r for r in read_rows(tmp_path / "out" / "predictions.csv", Prediction) if r.rank == 1]
        assert [r.score for r in rows] == [5.0] * 4  # the grid's five points agree, whatever the images show
        assert not any(r.accepted for r in rows)

    def test_other_layout(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx", reason="onnx makes this test's network: pip install 'obverse[train]'")
        model = flatten_model(onnx, tmp_path / "tiny.onnx")
        with pytest.raises(ModelError, match="a matcher has image0, image1 and kpts0"):
            Matcher(model)
        (tmp_path / "text.onnx").write_text("no network")
        with pytest.raises(ModelError, match="cannot be run"):
            Matcher(tmp_path / "text.onnx")

    def test_matcher_is_needed(self, material: Material, tmp_path: Path) -> None:
        with pytest.raises(ResearchError, match="give --matcher"):
            run(tmp_path / "out", material, [matcher_method("x.onnx")], RunSettings(), command="test")


def flatten_model(onnx: types.ModuleType, path: Path) -> Path:
    """A network that averages the image to a grid and gives it as the vector, with its card."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("AveragePool", ["image"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", kind, ["N", 3, 64, 64])],
        [helper.make_tensor_value_info("vector", kind, ["N", 192])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    card = {
        "name": "tiny", "network": path.name, "input": "image", "output": "vector", "size": [64, 64],
        "layout": "NCHW", "dtype": "float32", "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "colour": "RGB",
        "resize": "stretch", "pooling": "none",
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


def matcher_model(onnx: types.ModuleType, path: Path) -> Path:
    """A matcher with five fixed points in each image; each is matched with itself, with different scores. The
    images take part by an addition of nothing, since inputs must be used."""
    helper, kinds = onnx.helper, onnx.TensorProto
    points = np.array([[[20, 20], [200, 20], [200, 200], [20, 200], [100, 90]]], np.float32)
    scores = np.array([0.4, 0.9, 0.3, 0.8, 0.7], np.float32)
    constants = {
        "points": points,
        "rows": np.repeat(np.arange(5), 2).reshape(5, 2).astype(np.int64),
        "scores": scores,
        "zero": np.zeros((), np.float32),
    }
    nodes = []
    for side in "01":
        nodes += [
            helper.make_node("ReduceMean", [f"image{side}"], [f"mean{side}"], keepdims=0),
            helper.make_node("Mul", [f"mean{side}", "zero"], [f"nothing{side}"]),
            helper.make_node("Add", ["points", f"nothing{side}"], [f"kpts{side}"]),
        ]
    nodes += [
        helper.make_node("Identity", ["rows"], ["matches0"]),
        helper.make_node("Identity", ["scores"], ["mscores0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "grid",
        [helper.make_tensor_value_info(f"image{s}", kinds.FLOAT, [1, 1, "H", "W"]) for s in "01"],
        [
            *(helper.make_tensor_value_info(f"kpts{s}", kinds.FLOAT, [1, 5, 2]) for s in "01"),
            helper.make_tensor_value_info("matches0", kinds.INT64, [5, 2]),
            helper.make_tensor_value_info("mscores0", kinds.FLOAT, [5]),
        ],
        [onnx.numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
