"""From a network's output to one vector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import ModelError
from engine.full_image.model import FullImageModel
from tests.support.tiny_networks import (
    CARD,
    FLATTEN,
    NCHW,
    NHWC,
    UINT8,
    TensorProto,
    helper,
    model_of,
    network,
    onnx,
    unit,
    write_card,
)


class TestPooling:
    PICTURE = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8)

    @pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
    def test_mean_and_gem_of_a_map(self, tmp_path: Path, layout: str) -> None:
        """Mean over the places; GeM is the p-th root of the mean of p-th powers of what is above zero."""
        card = {"layout": layout, "shape": NCHW if layout == "NCHW" else NHWC, "rank": 4}
        values = ((self.PICTURE / 255 - CARD["mean"]) / CARD["std"]).reshape(-1, 3)
        mean = model_of(tmp_path, ("Identity", {}), **card, pooling="mean").describe_picture(self.PICTURE)[0]
        np.testing.assert_allclose(mean, unit(values.mean(0)), atol=1e-5)
        gem = model_of(tmp_path, ("Identity", {}), **card, pooling="gem", gem_power=4).describe_picture(self.PICTURE)[0]
        np.testing.assert_allclose(gem, unit((np.maximum(values, 0) ** 4).mean(0) ** 0.25), atol=1e-5)

    def test_gem_of_one_is_the_mean(self, tmp_path: Path) -> None:
        """Where nothing is below zero; and a high power nears the greatest value without leaving float32."""
        card = {"rank": 4, "mean": [0, 0, 0], "std": [1e-20, 1e-20, 1e-20], "pooling": "gem"}
        values = (self.PICTURE / 255).reshape(-1, 3)
        one = model_of(tmp_path, ("Identity", {}), **card, gem_power=1).describe_picture(self.PICTURE)[0]
        np.testing.assert_allclose(one, unit(values.mean(0)), atol=1e-5)
        high = model_of(tmp_path, ("Identity", {}), **card, gem_power=100).describe_picture(self.PICTURE)[0]
        np.testing.assert_allclose(high, unit(values.max(0)), atol=0.02)

    def test_tokens(self, tmp_path: Path) -> None:
        """Of (N, T, D): the mean of the tokens, or the first of them."""
        made = network(tmp_path / "tiny.onnx", *FLATTEN, shape=NHWC, kind=TensorProto.UINT8, rank=3)
        model = onnx.load(made)
        model.graph.node[-1].CopyFrom(helper.make_node("Reshape", ["x1", "shape"], ["vector"]))
        model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [3], [0, 8, -1]))
        onnx.save(model, str(made))
        tokens = self.PICTURE.reshape(8, 36).astype(float)
        for pooling, expected in (("first", tokens[0]), ("mean", tokens.mean(0))):
            write_card(tmp_path / "card.json", **UINT8, pooling=pooling)
            found = FullImageModel(tmp_path).describe_picture(self.PICTURE)[0]
            np.testing.assert_allclose(found, unit(expected), atol=1e-5)

    @pytest.mark.parametrize(("pooling", "rank", "operators"), [
        ("none", 4, (("Identity", {}),)),
        ("mean", 2, FLATTEN),
        ("gem", 2, FLATTEN),
        ("first", 4, (("Identity", {}),)),
    ])  # fmt: skip
    def test_unexpected_rank(self, tmp_path: Path, pooling: str, rank: int, operators: Any) -> None:
        with pytest.raises(ModelError, match=f"pooling '{pooling}' needs . (or . )?axes"):
            model_of(tmp_path, *operators, pooling=pooling, rank=rank)

    def test_the_images_axis_is_lost(self, tmp_path: Path) -> None:
        """An output that mixes the images of a batch is refused."""
        with pytest.raises(ModelError, match="for 1 images"):
            model_of(tmp_path, ("Flatten", {"axis": 2}))
