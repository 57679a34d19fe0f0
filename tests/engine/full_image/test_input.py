"""What a model of whole images is shown."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_networks import (
    CARD,
    NHWC,
    UINT8,
    TensorProto,
    model_of,
    unit,
)


class TestInput:
    def test_normalised(self, tmp_path: Path) -> None:
        """float32: (pixel / 255 - mean) / std by channel, channels first; the output is a unit vector."""
        model = model_of(tmp_path)
        picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
        expected = unit(((picture / 255 - CARD["mean"]) / CARD["std"]).transpose(2, 0, 1).ravel())
        found = model.describe_picture(picture)
        assert found.shape == (1, model.dimension) == (1, 8 * 12 * 3)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[0], expected, atol=1e-6)

    def test_pixels_as_they_are(self, tmp_path: Path) -> None:
        """uint8 models read the pixels themselves, here with channels last and in the order of OpenCV."""
        model = model_of(tmp_path, **UINT8, colour="BGR", shape=NHWC, kind=TensorProto.UINT8)
        picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
        np.testing.assert_allclose(
            model.describe_picture(picture)[0], unit(picture[:, :, ::-1].ravel().astype(float)), atol=1e-6
        )

    def test_normalised_in_the_order_of_the_colours(self, tmp_path: Path) -> None:
        """With BGR the first mean belongs to blue."""
        model = model_of(tmp_path, colour="BGR")
        picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
        expected = unit(((picture[:, :, ::-1] / 255 - CARD["mean"]) / CARD["std"]).transpose(2, 0, 1).ravel())
        np.testing.assert_allclose(model.describe_picture(picture)[0], expected, atol=1e-6)

    @pytest.mark.parametrize(("resize", "columns"), [("stretch", (0, 12)), ("letterbox", (4, 8)), ("crop", None)])
    def test_resize(self, tmp_path: Path, resize: str, columns: tuple[int, int] | None) -> None:
        """A white picture twice as high as wide, black in its upper and lower quarter: stretched it fills the width;
        in the letterbox it is 4 of 12 pixels wide between the mean's grey; the crop shows but its white middle."""
        picture = np.full((160, 80, 3), 255, np.uint8)
        picture[:40] = picture[120:] = 0
        changes = UINT8 | {"shape": NHWC, "kind": TensorProto.UINT8, "resize": resize}
        seen = model_of(tmp_path, **changes).describe_picture(picture)[0].reshape(8, 12, 3)
        expected = np.full((8, 12, 3), 255.0)
        if columns:
            expected[:] = 127
            expected[:2, slice(*columns)] = expected[6:, slice(*columns)] = 0
            expected[2:6, slice(*columns)] = 255
        np.testing.assert_allclose(seen, expected / np.linalg.norm(expected), atol=1e-6)

    def test_crop_share(self, tmp_path: Path) -> None:
        """crop_share 0.5 shows the middle half of what a crop shows otherwise."""
        picture = np.zeros((80, 120, 3), np.uint8)
        picture[20:60, 30:90] = 255
        changes = UINT8 | {"shape": NHWC, "kind": TensorProto.UINT8, "resize": "crop"}
        whole = model_of(tmp_path, **changes).describe_picture(picture)[0]
        half = model_of(tmp_path, **changes, crop_share=0.5).describe_picture(picture)[0]
        assert (whole == 0).any()
        np.testing.assert_allclose(half, 1 / math.sqrt(288), atol=1e-6)

    def test_the_mean_fills_the_letterbox(self, tmp_path: Path) -> None:
        """What is no picture is nothing to a float32 model, but for the rounding of a grey level."""
        seen = model_of(tmp_path, resize="letterbox").describe_picture(np.full((80, 80, 3), 255, np.uint8))
        columns = np.abs(seen.reshape(3, 8, 12)).max((0, 1))
        assert columns[:2].max() < 0.01
        assert columns[2:10].min() > 0.05
        assert columns[10:].max() < 0.01

    @pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2)])
    @pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
    def test_odd_sizes(self, tmp_path: Path, shape: tuple[int, int], resize: str) -> None:
        """However small or narrow: every view gets a unit vector."""
        model = model_of(tmp_path, resize=resize, views=["whole", "centre 0.1", "grid 3x3 0.2", "rotate 90", "flip"])
        found = model.describe(np.full((*shape, 3), 255, np.uint8))
        assert found.shape == (13, model.dimension)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)

    @pytest.mark.parametrize(
        "image",
        [
            np.zeros((8, 8), np.uint8),
            np.zeros((8, 8, 4), np.uint8),
            np.zeros((8, 8, 3), np.float32),
            np.zeros((0, 8, 3), np.uint8),
        ],
    )
    def test_what_is_no_image(self, tmp_path: Path, image: np.ndarray) -> None:
        model = model_of(tmp_path)
        for describe in (model.describe, model.describe_picture):
            with pytest.raises(ValueError, match=r"an image is \(H, W, 3\) uint8"):
                describe(image)
