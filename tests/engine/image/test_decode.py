"""From bytes to pixels: formats, orientation, and decoding at a smaller size."""

from __future__ import annotations

import contextlib

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.errors import (
    TruncatedImage,
    UnsupportedFormat,
)
from engine.image import EncodedImage, decode, encode_jpeg, sniff, to_gray
from engine.settings import ImageLimits
from tests.support.drawn import encoded, poster
from tests.support.made_images import SMALL, pixels, saved


def assert_picture(data: bytes, expected: np.ndarray, *, tolerance: float) -> None:
    """The file decodes to `expected`: shape, type, size, and the mean difference in grey levels."""
    found, size = decode(data, long_side=640)
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert size == (expected.shape[1], expected.shape[0])
    assert np.abs(found.astype(float) - expected).mean() <= tolerance


def grey_rgb(image: np.ndarray) -> np.ndarray:
    return np.repeat(to_gray(image)[..., None], 3, axis=2)


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return rgb * share + 255 * (1 - share)


class TestFormats:
    def test_jpeg(self) -> None:
        """A JPEG gives its pixels as RGB."""
        assert_picture(encode_jpeg(SMALL, quality=97), SMALL, tolerance=6)

    def test_png(self) -> None:
        """A PNG gives its pixels to the bit."""
        assert_picture(encoded(SMALL, ".png"), SMALL, tolerance=0)

    def test_progressive_jpeg(self) -> None:
        """A progressive JPEG is like any other."""
        assert_picture(saved(Image.fromarray(SMALL), "JPEG", quality=97, progressive=True), SMALL, tolerance=6)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG"])
    def test_grey(self, kind: str) -> None:
        """Grey files give three equal channels."""
        data = saved(Image.fromarray(to_gray(SMALL)), kind)
        assert_picture(data, grey_rgb(SMALL), tolerance=3 if kind == "JPEG" else 0)
        found = pixels(data)
        assert (found[..., 0] == found[..., 1]).all()

    def test_black_and_white_png(self) -> None:
        """One bit a pixel becomes 0 and 255."""
        bits = to_gray(SMALL) > 128
        expected = np.repeat(bits[..., None] * np.uint8(255), 3, axis=2)
        assert_picture(saved(Image.fromarray(bits), "PNG"), expected, tolerance=0)

    def test_transparent_png(self) -> None:
        """What is transparent is laid over white."""
        alpha = np.tile(np.linspace(0, 255, SMALL.shape[1]).astype(np.uint8), (SMALL.shape[0], 1))
        data = encoded(np.dstack([SMALL, alpha]), ".png")
        assert_picture(data, over_white(SMALL, alpha), tolerance=1)

    def test_transparent_grey_png(self) -> None:
        """Grey with alpha likewise."""
        alpha = np.tile(np.linspace(0, 255, SMALL.shape[1]).astype(np.uint8), (SMALL.shape[0], 1))
        layered = Image.merge("LA", [Image.fromarray(to_gray(SMALL)), Image.fromarray(alpha)])
        assert_picture(saved(layered, "PNG"), over_white(grey_rgb(SMALL), alpha), tolerance=1)

    def test_palette_png(self) -> None:
        """Palette numbers become their colours."""
        indexed = Image.fromarray(SMALL).quantize(64)
        assert_picture(saved(indexed, "PNG"), np.asarray(indexed.convert("RGB")), tolerance=0)

    def test_palette_png_with_transparency(self) -> None:
        """A transparent palette entry is white."""
        indexed = Image.fromarray(SMALL).quantize(16)
        expected = np.asarray(indexed.convert("RGB")).copy()
        expected[np.asarray(indexed) == 3] = 255
        assert_picture(saved(indexed, "PNG", transparency=3), expected, tolerance=0)

    def test_png_with_a_transparent_colour(self) -> None:
        """A colour declared transparent (tRNS of an RGB file) is white."""
        image = SMALL.copy()
        image[:20] = (1, 2, 3)
        expected = image.copy()
        expected[:20] = 255
        assert_picture(saved(Image.fromarray(image), "PNG", transparency=(1, 2, 3)), expected, tolerance=0)

    def test_16_bit_grey_png(self) -> None:
        """Sixteen bits are scaled to eight, not cut off."""
        deep = to_gray(SMALL).astype(np.uint16) * 257
        assert_picture(encoded(deep, ".png"), grey_rgb(SMALL), tolerance=1)

    def test_16_bit_colour_png(self) -> None:
        """In colour likewise."""
        assert_picture(encoded(SMALL.astype(np.uint16) * 257, ".png"), SMALL, tolerance=1)

    def test_cmyk_jpeg(self) -> None:
        """The four inks of print are turned into RGB, and not inverted."""
        found = pixels(saved(Image.fromarray(SMALL).convert("CMYK"), "JPEG", quality=97))
        assert np.corrcoef(found.ravel(), SMALL.ravel())[0, 1] > 0.97

    def test_content_decides_not_the_name(self) -> None:
        """The format is told by the first bytes."""
        assert sniff(encoded(SMALL, ".png")) == "PNG"
        assert sniff(encode_jpeg(SMALL)) == "JPEG"

    def test_webp_only_where_allowed(self) -> None:
        """The command line accepts WebP; the service does not."""
        data = saved(Image.fromarray(SMALL), "WEBP", lossless=True)
        with pytest.raises(UnsupportedFormat):
            pixels(data)
        found = pixels(data, limits=ImageLimits(formats=("JPEG", "PNG", "WebP")))
        assert (found == SMALL).all()


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}
"""EXIF 2.32, 4.6.4 "Orientation": how stored pixels become upright."""


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["JPEG", "PNG"])
    def test_upright(self, orientation: int, kind: str) -> None:
        """All eight EXIF orientations give the upright picture and its upright size."""
        inverse = {6: 8, 8: 6}.get(orientation, orientation)
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = Image.fromarray(np.ascontiguousarray(UPRIGHT[inverse](SMALL)))
        options = {"quality": 97, "subsampling": 0} if kind == "JPEG" else {}
        data = saved(stored, kind, exif=exif.tobytes(), **options)
        assert_picture(data, SMALL, tolerance=3 if kind == "JPEG" else 0)

    @pytest.mark.parametrize("orientation", [0, 9, 255])
    def test_undefined_orientation(self, orientation: int) -> None:
        """A number outside 1 to 8 changes nothing."""
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert_picture(saved(Image.fromarray(SMALL), "PNG", exif=exif.tobytes()), SMALL, tolerance=0)

    def test_reduced_decoding_keeps_it(self) -> None:
        """A large rotated photo is reduced, upright, and its full size is told."""
        large = cv2.resize(SMALL, (1800, 2400), interpolation=cv2.INTER_CUBIC)
        exif = Image.Exif()
        exif[0x0112] = 6
        data = saved(Image.fromarray(np.rot90(large, 1)), "JPEG", exif=exif.tobytes())
        found, size = decode(data, long_side=640)
        assert size == (1800, 2400)
        assert found.shape[0] > found.shape[1]
        expected = cv2.resize(large, found.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(found.astype(float) - expected).mean() < 5

    def test_broken_exif(self) -> None:
        """Metadata that makes no sense does not spoil a good picture, or is refused as damaged."""
        data = saved(Image.fromarray(SMALL), "JPEG", exif=b"Exif\0\0" + bytes(range(200)))
        with contextlib.suppress(TruncatedImage):
            assert pixels(data).shape == SMALL.shape


class TestReducedDecoding:
    @pytest.mark.parametrize("size", [(3000, 2000), (2000, 3000), (4000, 1100), (1100, 4000), (2600, 2600)])
    def test_same_picture(self, size: tuple[int, int]) -> None:
        """A large JPEG is decoded at a longer side of 640 to 1,280 pixels and shows the same as in full."""
        large = cv2.resize(poster(2), size, interpolation=cv2.INTER_CUBIC)
        found, told = decode(encode_jpeg(large, quality=95), long_side=640)
        assert told == size
        assert 640 <= max(found.shape[:2]) <= 1280
        expected = cv2.resize(large, found.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(found.astype(float) - expected).mean() < 4

    def test_small_ones_stay(self) -> None:
        """Nothing is lost of a photo that is small already."""
        assert pixels(encode_jpeg(poster(2))).shape == poster(2).shape


class TestMode:
    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA"])
    def test_as_it_is_stored(self, mode: str) -> None:
        assert EncodedImage(saved(Image.fromarray(SMALL).convert(mode), "PNG")).mode == mode

    def test_of_a_jpeg(self) -> None:
        assert EncodedImage(saved(Image.fromarray(SMALL).convert("CMYK"), "JPEG")).mode == "CMYK"
