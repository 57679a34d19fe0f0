"""A network that does what its card says, or is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelError
from engine.full_image.model import FullImageModel, best_view
from tests.support.drawn import poster
from tests.support.tiny_networks import (
    FLATTEN,
    TensorProto,
    helper,
    model_of,
    network,
    onnx,
    write_card,
)


class TestNetwork:
    """What the card says and the file does not do is found on opening."""

    def test_names(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="has no input 'pixels'; it has image"):
            model_of(tmp_path, input="pixels")
        with pytest.raises(ModelError, match="has no output 'features'; it has vector"):
            model_of(tmp_path, output="features")

    def test_kind_and_size(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"reads tensor\(uint8\), its card says float32"):
            model_of(tmp_path, kind=TensorProto.UINT8)
        with pytest.raises(ModelError, match=r"its card says NCHW of 3 x \(12, 8\)"):
            model_of(tmp_path, size=[12, 8])
        with pytest.raises(ModelError, match="its card says NHWC"):
            model_of(tmp_path, layout="NHWC")
        with pytest.raises(ModelError, match="gives 288 numbers, its card says 64"):
            model_of(tmp_path, dimension=64)
        with pytest.raises(ModelError, match="batches of just 4"):
            model_of(tmp_path, shape=[4, 3, 8, 12])

    def test_batches_of_one(self, tmp_path: Path) -> None:
        """A network that reads one image at a time gets its views one at a time."""
        model = model_of(tmp_path, shape=[1, 3, 8, 12], views=["whole", "grid 2x2 0.6"], dimension=288)
        assert model.describe(poster(1)).shape == (5, 288)

    def test_two_inputs(self, tmp_path: Path) -> None:
        network(tmp_path / "tiny.onnx", *FLATTEN)
        model = onnx.load(tmp_path / "tiny.onnx")
        model.graph.input.append(helper.make_tensor_value_info("text", TensorProto.INT64, ["N"]))
        onnx.save(model, str(tmp_path / "tiny.onnx"))
        write_card(tmp_path / "card.json")
        with pytest.raises(ModelError, match=r"has 2 inputs \(image, text\)"):
            FullImageModel(tmp_path)

    def test_no_numbers(self, tmp_path: Path) -> None:
        """NaN ends in an error, never in a descriptor; here the logarithm of what lies below the mean."""
        with pytest.raises(ModelError, match="values that are no numbers"):
            model_of(tmp_path, ("Log", {}), ("Flatten", {}))
        with pytest.raises(ModelError, match="holds no array of numbers"):
            model_of(tmp_path, ("Cast", {"to": TensorProto.BOOL}), ("Flatten", {}), gives=TensorProto.BOOL)

    def test_nothing(self, tmp_path: Path) -> None:
        """An image that activates nothing is similar to nothing."""
        model = model_of(tmp_path, ("Relu", {}), ("Flatten", {}))
        found = model.describe_picture(np.zeros((20, 20, 3), np.uint8))
        assert (found == 0).all()
        assert (best_view(found, model.describe_picture(poster(1))) == 0).all()

    def test_large_values(self, tmp_path: Path) -> None:
        """Values whose squares leave float32 still give a unit vector."""
        model = model_of(tmp_path, std=[1e-25, 1e-25, 1e-25])
        assert np.linalg.norm(model.describe_picture(poster(1))) == pytest.approx(1, abs=1e-5)

    def test_no_network(self, tmp_path: Path) -> None:
        write_card(tmp_path / "card.json")
        (tmp_path / "tiny.onnx").write_bytes(b"no network")
        with pytest.raises(ModelError, match=r"tiny\.onnx cannot be run"):
            FullImageModel(tmp_path)
        (tmp_path / "tiny.onnx").write_bytes(b"")
        with pytest.raises(ModelError, match=r"tiny\.onnx"):
            FullImageModel(tmp_path)

    def test_half_precision(self, tmp_path: Path) -> None:
        """Outputs of 16 bits are taken; descriptors are float32 all the same."""
        model = model_of(tmp_path, ("Cast", {"to": TensorProto.FLOAT16}), ("Flatten", {}), gives=TensorProto.FLOAT16)
        assert model.describe_picture(poster(1)).dtype == np.float32
