"""From bytes to pixels: what is accepted, what is refused and at what cost."""

from __future__ import annotations

import contextlib
import io
import resource
import struct
import subprocess
import sys
import time
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import (
    ImageError,
    ImageTooLarge,
    ImageTooSmall,
    NotAnImage,
    TruncatedImage,
    UnsupportedFormat,
)
from engine.image import PNG_PIXELS, decode, encode_jpeg, sniff, to_gray, trim_margins
from engine.settings import ImageLimits
from tests.support.drawn import encoded, flat, poster

SMALL = cv2.GaussianBlur(cv2.resize(poster(1), (90, 120), interpolation=cv2.INTER_AREA), (0, 0), 1.5)
"""A picture whose eight orientations all differ."""


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes, **options: object) -> np.ndarray:
    return decode(data, long_side=640, **options)[0]


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


def png_header(width: int, height: int, *, depth: int = 8, colour: int = 2, body: bytes = b"") -> bytes:
    """A PNG with correct checksums and as little inside as the caller wants."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def jpeg_claiming(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A small JPEG whose frame header claims another size."""
    data = bytearray(saved(Image.fromarray(SMALL), "JPEG", progressive=progressive))
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


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


BOMBS = {
    "png of 400 megapixels": png_header(20_000, 20_000, body=zlib.compress(bytes(1000))),
    "png of 4 gigapixels": png_header(2**16, 2**16, body=zlib.compress(bytes(1000))),
    "png of 2**62 pixels": png_header(2**31 - 1, 2**31 - 1),
    "png one pixel high": png_header(2**31 - 1, 1),
    "png of 100 megapixels, 16 bits": png_header(10_000, 10_000, depth=16, colour=6),
    "png of 100 megapixels, palette": png_header(10_000, 10_000, colour=3),
    "jpeg of 4 gigapixels": jpeg_claiming(65_500, 65_500),
    "jpeg of 100 megapixels": jpeg_claiming(10_000, 10_001),
    "progressive jpeg of 100 megapixels": jpeg_claiming(10_000, 10_001, progressive=True),
}

# Far above what any of these files takes on any machine: a guard against a hang, not a measurement of speed.
HANGS_SECONDS = 60

MEASURE = """
import resource, sys, time
from pathlib import Path
from engine.errors import ImageError
from engine.image import decode
data = Path(sys.argv[1]).read_bytes()
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    decode(data, long_side=640)
    result = "decoded"
except ImageError as error:
    result = type(error).__name__
spent = time.process_time() - started
print(result, spent, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def cost(data: bytes, folder: object) -> tuple[str, float, float]:
    """What decoding gives in a process of its own, its processor seconds and its megabytes."""
    path = folder / "file"  # type: ignore[operator]
    path.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    result, seconds, megabytes = done.stdout.split()
    return result, float(seconds), float(megabytes)


class TestCost:
    @pytest.mark.parametrize("name", BOMBS)
    def test_a_bomb_is_refused_by_its_header(self, name: str) -> None:
        """A file that claims more pixels than allowed is refused."""
        with pytest.raises((ImageTooLarge, ImageTooSmall)):
            pixels(BOMBS[name])

    def test_a_bomb_costs_no_memory(self, tmp_path: object) -> None:
        """Nothing is decoded, so nothing is allocated."""
        result, seconds, megabytes = cost(png_header(20_000, 20_000, body=zlib.compress(bytes(10**7))), tmp_path)
        assert result == "ImageTooLarge"
        assert seconds < HANGS_SECONDS
        assert megabytes < 20

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("depth", "colour", "bytes_per_pixel"), [(8, 2, 3), (8, 6, 4), (16, 0, 2), (16, 6, 8), (8, 4, 2), (1, 0, 0.125)]
    )
    def test_the_largest_png_allowed(self, tmp_path: object, depth: int, colour: int, bytes_per_pixel: float) -> None:
        """The most pixels that a PNG may have cost less than 500 MB, whatever its kind."""
        width, height = 8000, PNG_PIXELS // 8000
        row = b"\0" + bytes(int(width * bytes_per_pixel))
        data = png_header(width, height, depth=depth, colour=colour, body=zlib.compress(row * height, 1))
        result, seconds, megabytes = cost(data, tmp_path)
        assert result == "decoded"
        assert megabytes < 500
        assert seconds < HANGS_SECONDS

    @pytest.mark.slow
    @pytest.mark.parametrize("progressive", [False, True])
    @pytest.mark.parametrize("mode", ["RGB", "CMYK"])
    def test_the_largest_jpeg_allowed(self, tmp_path: object, mode: str, *, progressive: bool) -> None:
        """So do those of a JPEG."""
        image = Image.new(mode, (8000, 8000), 100)
        data = saved(image, "JPEG", progressive=progressive, subsampling=0)
        result, seconds, megabytes = cost(data, tmp_path)
        assert result == "decoded"
        assert megabytes < 500
        assert seconds < HANGS_SECONDS

    @pytest.mark.slow
    def test_a_jpeg_of_a_thousand_scans(self, tmp_path: object) -> None:
        """A progressive JPEG that repeats its scans a thousand times over many pixels does not hang us."""
        data = saved(Image.new("L", (7900, 7900), 100), "JPEG", progressive=True)
        last = data.rindex(b"\xff\xda")
        bomb = data[:-2] + data[last:-2] * 1000 + data[-2:]
        _, seconds, megabytes = cost(bomb, tmp_path)
        assert seconds < HANGS_SECONDS
        assert megabytes < 500


VALID = (
    encode_jpeg(SMALL),
    saved(Image.fromarray(SMALL), "JPEG", progressive=True),
    encoded(SMALL, ".png"),
    saved(Image.fromarray(SMALL).quantize(16), "PNG", transparency=2),
)


def array_or_image_error(data: bytes) -> None:
    """The rule that every input obeys."""
    try:
        image, size = decode(data, long_side=64)
    except ImageError:
        return
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.dtype == np.uint8
    assert min(size) >= 32


class TestAnyBytes:
    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.binary(max_size=600))
    def test_random(self, data: bytes) -> None:
        """Any bytes give an array or an ImageError."""
        array_or_image_error(data)

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(
        st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP"]),
        st.binary(max_size=600),
    )
    def test_random_behind_a_good_start(self, start: bytes, data: bytes) -> None:
        """So do bytes that begin like an image."""
        array_or_image_error(start + data)

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.sampled_from(VALID), st.data())
    def test_mutated(self, valid: bytes, data: st.DataObject) -> None:
        """So does a good file with some of its bytes changed, and cut off somewhere."""
        changed = bytearray(valid)
        for _ in range(data.draw(st.integers(1, 8))):
            changed[data.draw(st.integers(0, len(valid) - 1))] = data.draw(st.integers(0, 255))
        array_or_image_error(bytes(changed[: data.draw(st.integers(1, len(valid)))]))

    @pytest.mark.slow
    def test_ten_thousand_mutated_files(self) -> None:
        """None of 12,000 mutated files crashes, hangs, or makes the process grow by 500 MB."""
        rng = np.random.default_rng(3)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        longest = 0.0
        for number in range(12_000):
            data = bytearray(VALID[number % len(VALID)])
            kind = rng.integers(0, 5)
            if kind == 0:  # the header is where the numbers stand that cost
                for at in rng.integers(0, min(len(data), 200), 3):
                    data[at] = rng.integers(0, 256)
            elif kind == 1:
                for at in rng.integers(0, len(data), int(rng.integers(1, 60))):
                    data[at] = rng.integers(0, 256)
            elif kind == 2:
                a, b = np.sort(rng.integers(0, len(data), 2))
                del data[a:b]
            elif kind == 3:
                a, b = np.sort(rng.integers(0, len(data), 2))
                data[a:a] = data[a:b]
            else:
                data = data[: rng.integers(0, len(data))]
            started = time.perf_counter()
            array_or_image_error(bytes(data))
            longest = max(longest, time.perf_counter() - started)
        assert longest < HANGS_SECONDS
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 500


def framed(picture: np.ndarray, left: int, top: int, right: int, bottom: int, colour: int = 255) -> np.ndarray:
    return cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(colour,) * 3)


def busy(width: int = 120, height: int = 160) -> np.ndarray:
    """A picture with no plain margin."""
    return np.random.default_rng(0).integers(0, 200, (height, width, 3), np.uint8)


class TestTrimMargins:
    def test_none(self) -> None:
        """A picture without margins stays whole."""
        assert trim_margins(busy()) == (0, 0, 120, 160)

    @pytest.mark.parametrize("colour", [0, 255])
    def test_margins(self, colour: int) -> None:
        """Plain margins of any colour and width go, to the pixel."""
        image = framed(np.maximum(busy(), 20), 10, 20, 30, 5, colour)
        assert trim_margins(image) == (10, 20, 130, 180)

    def test_one_side(self) -> None:
        """A margin on one side only goes too."""
        assert trim_margins(framed(busy(), 15, 0, 0, 0)) == (15, 0, 135, 160)

    def test_noise_in_the_margin(self) -> None:
        """A few grey levels of noise, as JPEG leaves, make no picture."""
        image = framed(busy(), 16, 16, 16, 16, 250).astype(np.int16)
        noise = np.random.default_rng(1).integers(-2, 3, image.shape)
        assert trim_margins(np.clip(image + noise, 0, 255).astype(np.uint8)) == (16, 16, 136, 176)

    def test_featureless(self) -> None:
        """A plain picture stays whole."""
        assert trim_margins(flat(90)) == (0, 0, 90, 90)

    def test_at_most_a_third(self) -> None:
        """A small picture on a large sheet keeps the middle third of it at least."""
        sheet = np.full((300, 300, 3), 255, np.uint8)
        sheet[10:20, 10:20] = 0
        left, top, right, bottom = trim_margins(sheet)
        assert (right - left, bottom - top) >= (100, 100)
        assert left <= 10
        assert top <= 10

    def test_after_jpeg(self) -> None:
        """A framed poster from a JPEG loses its frame, up to the ringing of one block of colour."""
        found = pixels(encode_jpeg(framed(poster(5), 40, 40, 40, 40), quality=85))
        left, top, right, bottom = trim_margins(found)
        assert np.abs(np.array([left - 40, top - 40, right - 400, bottom - 520])).max() <= 16
