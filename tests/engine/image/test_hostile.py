"""Files that are made to cost, and files of any bytes."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import (
    ImageError,
    ImageTooLarge,
    ImageTooSmall,
)
from engine.image import decode, encode_jpeg
from engine.settings import ImageLimits
from tests.support.drawn import encoded
from tests.support.made_images import SMALL, pixels, png_header, saved


def jpeg_claiming(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A small JPEG whose frame header claims another size."""
    data = bytearray(saved(Image.fromarray(SMALL), "JPEG", progressive=progressive))
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


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
        width, height = 8000, ImageLimits().max_pixels // 8000
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
