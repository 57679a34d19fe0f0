"""Which images are refused, and what they are told."""

from __future__ import annotations

import cv2
import pytest
from PIL import Image

from engine.errors import (
    ImageError,
    ImageTooLarge,
    ImageTooSmall,
    NotAnImage,
    TruncatedImage,
    UnsupportedFormat,
)
from engine.settings import ImageLimits
from tests.support.drawn import encoded
from tests.support.made_images import SMALL, pixels, png_header, saved


class TestRefusals:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x00",
            b"\xff\xd8",
            b"just some text in a file named .jpg",
            b"%PDF-1.7 ...",
            bytes(5000),
            b"RIFF1234WAVE",
        ],
        ids=["empty", "one byte", "half a marker", "text", "pdf", "zeros", "sound"],
    )
    def test_not_an_image(self, data: bytes) -> None:
        """Bytes that start like no image are no image."""
        with pytest.raises(NotAnImage):
            pixels(data)

    @pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP"])
    def test_unsupported(self, kind: str) -> None:
        """Other formats are named, and what may be sent is told."""
        with pytest.raises(UnsupportedFormat, match="send JPEG or PNG") as caught:
            pixels(saved(Image.fromarray(SMALL), kind))
        assert caught.value.found.upper() == kind
        assert caught.value.allowed == ("JPEG", "PNG")

    @pytest.mark.parametrize(("brand", "name"), [(b"heic", "HEIC"), (b"avif", "AVIF")])
    def test_unsupported_phone_formats(self, brand: bytes, name: str) -> None:
        """A phone's own format is called by its name, not "no image"."""
        with pytest.raises(UnsupportedFormat) as caught:
            pixels(b"\x00\x00\x00\x18ftyp" + brand + bytes(100))
        assert caught.value.found == name

    def test_too_many_bytes(self) -> None:
        """The limit of bytes holds before anything is read."""
        data = encoded(SMALL, ".png")
        with pytest.raises(ImageTooLarge) as caught:
            pixels(data, limits=ImageLimits(max_bytes=len(data) - 1))
        assert (caught.value.what, caught.value.actual, caught.value.limit) == ("bytes", len(data), len(data) - 1)
        assert pixels(data, limits=ImageLimits(max_bytes=len(data))).shape == SMALL.shape

    def test_too_many_pixels(self) -> None:
        """The limit of pixels holds to the pixel."""
        data, count = encoded(SMALL, ".png"), SMALL.shape[0] * SMALL.shape[1]
        with pytest.raises(ImageTooLarge) as caught:
            pixels(data, limits=ImageLimits(max_pixels=count - 1))
        assert (caught.value.what, caught.value.actual, caught.value.limit) == ("pixels", count, count - 1)
        assert pixels(data, limits=ImageLimits(max_pixels=count)).shape == SMALL.shape

    @pytest.mark.parametrize("size", [(31, 100), (100, 31), (1, 1), (1, 5000)])
    def test_too_small(self, size: tuple[int, int]) -> None:
        """A side of fewer than 32 pixels is refused with the size."""
        with pytest.raises(ImageTooSmall) as caught:
            pixels(encoded(cv2.resize(SMALL, size), ".png"))
        assert (caught.value.width, caught.value.height, caught.value.minimum) == (*size, 32)

    def test_least_size(self) -> None:
        """32 pixels are enough."""
        assert pixels(encoded(cv2.resize(SMALL, (32, 32)), ".png")).shape == (32, 32, 3)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG"])
    def test_truncated(self, kind: str) -> None:
        """Wherever a file is cut off before its last pixels, it is refused, never filled up with grey."""
        data = saved(Image.fromarray(SMALL), kind)
        end = len(data) - (40 if kind == "PNG" else 12)
        for cut in [*range(1, 40), *range(40, end, 37), end]:
            with pytest.raises(ImageError) as caught:
                pixels(data[:cut])
            assert isinstance(caught.value, TruncatedImage | NotAnImage)
            if cut >= 12:
                assert isinstance(caught.value, TruncatedImage)
                assert caught.value.format_name == kind

    def test_damaged_pixels_of_a_png(self) -> None:
        """A checksum that does not fit is damage."""
        data = bytearray(encoded(SMALL, ".png"))
        data[len(data) // 2] ^= 255
        with pytest.raises(TruncatedImage):
            pixels(bytes(data))

    def test_only_the_header(self) -> None:
        """A PNG of chunks without pixels is damaged."""
        with pytest.raises(TruncatedImage):
            pixels(png_header(100, 100))
