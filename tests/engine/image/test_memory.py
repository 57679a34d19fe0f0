"""What decoding may hold: a small multiple of a picture's own pixels, and a share of what all threads may."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import image
from engine.errors import ImageTooLarge
from engine.image import WHOLE_PIXELS, EncodedImage, decode
from engine.settings import ImageLimits
from tests.support.drawn import poster
from tests.support.made_images import SMALL, pixels, png_header, saved

MEASURE = """
import resource, sys
from pathlib import Path
from engine.image import decode, resize_long_side, trim_margins
data = Path(sys.argv[1]).read_bytes()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found, size = decode(data, long_side=640)
left, top, right, bottom = trim_margins(found)
resize_long_side(found[top:bottom, left:right], 480)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (size[0] * size[1]))
"""


def bytes_a_pixel(data: bytes, folder: Path) -> float:
    """What adding the picture holds at most, in a process of its own."""
    path = folder / "file"
    path.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def empty_png(width: int, height: int, *, depth: int, colour: int, bytes_per_pixel: float) -> bytes:
    row = b"\0" + bytes(int(width * bytes_per_pixel))
    return png_header(width, height, depth=depth, colour=colour, body=zlib.compress(row * height, 1))


class TestMemory:
    @pytest.mark.parametrize(
        ("depth", "colour", "stored"), [(8, 2, 3), (8, 6, 4), (8, 4, 2), (16, 0, 2), (16, 6, 8), (1, 0, 0.125)]
    )
    def test_a_small_multiple(self, tmp_path: Path, depth: int, colour: int, stored: float) -> None:
        """A PNG of any kind takes its decoder's four bytes a pixel, the result's three, and little more (it was 28)."""
        assert bytes_a_pixel(empty_png(4000, 3000, depth=depth, colour=colour, bytes_per_pixel=stored), tmp_path) < 14

    @pytest.mark.slow
    def test_the_largest(self, tmp_path: Path) -> None:
        """The largest is shrunk while it becomes RGB: its result takes less than a byte a pixel."""
        assert bytes_a_pixel(empty_png(8000, 8000, depth=8, colour=6, bytes_per_pixel=4), tmp_path) < 6.5

    def test_one_limit(self) -> None:
        """Formats share one limit of pixels, and the message names it and the picture's own number."""
        limits = ImageLimits(formats=("JPEG", "PNG", "WebP"), max_pixels=SMALL.shape[0] * SMALL.shape[1] - 1)
        for kind in ("JPEG", "PNG", "WEBP"):
            with pytest.raises(ImageTooLarge, match="10800 pixels, at most 10799 are accepted"):
                pixels(saved(Image.fromarray(SMALL), kind), limits=limits)
        assert ImageLimits().max_pixels > 35_000_000  # a page of A4 at 600 dots an inch

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16"])
    def test_large_ones_are_shrunk(self, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A picture above the limit of whole ones shows the same, divided by a whole number; its full size is told."""
        whole = Image.fromarray(poster(4)).resize((721, 963), Image.Resampling.BICUBIC)
        if mode == "I;16":
            whole = Image.fromarray(np.asarray(whole.convert("L")).astype(np.uint16) * 257)
        else:
            whole = whole.quantize(128) if mode == "P" else whole.convert(mode)
        data = saved(whole, "PNG")
        plain = pixels(data)
        monkeypatch.setattr(image, "WHOLE_PIXELS", 721 * 963 // 4)
        monkeypatch.setattr(image, "_STRIP_PIXELS", 721 * 30)
        found, size = decode(data, long_side=640)
        assert size == (721, 963)
        assert found.shape == (321, 241, 3)  # a third, rounded up
        expected = np.asarray(Image.fromarray(plain).resize((241, 321), Image.Resampling.BOX), float)
        assert np.abs(found - expected).mean() < 2.5

    def test_whole_ones_stay(self) -> None:
        """What was read whole before there was a way to shrink stays whole."""
        assert WHOLE_PIXELS == 30_000_000

    @pytest.mark.shared
    def test_a_page_of_a_press(self, shared_data: Path) -> None:
        """A4 at 600 dots an inch is read."""
        found, size = decode((shared_data.parent / "cases" / "a4_600dpi_palette.png").read_bytes(), long_side=640)
        assert size == (4960, 7016)
        assert found.std() > 10


class TestBudget:
    def test_large_ones_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Twelve threads that decode large pictures hold no more at once than the budget lets them; all get theirs."""
        data = saved(Image.fromarray(poster(4)), "PNG")
        need = EncodedImage(data)._cost(1)
        at_once, most, lock = 0, 0, threading.Lock()
        waiting = threading.Event()
        plain = image._to_rgb

        def counted(picture: Image.Image, reduction: int) -> np.ndarray:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            waiting.wait(0.02)
            found = plain(picture, reduction)
            with lock:
                at_once -= 1
            return found

        monkeypatch.setattr(image, "_SMALL_BYTES", 0)
        monkeypatch.setattr(image, "_BUDGET", image._Budget(2 * need))
        monkeypatch.setattr(image, "_to_rgb", counted)
        done: list[bool] = []
        threads = [
            threading.Thread(target=lambda: done.append(bool((pixels(data) == poster(4)).all()))) for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done == [True] * 12
        assert most <= 2

    def test_more_than_there_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A picture that takes more than all may hold is decoded, alone; one that fails gives its share back."""
        data = saved(Image.fromarray(poster(4)), "PNG")
        monkeypatch.setattr(image, "_SMALL_BYTES", 0)
        monkeypatch.setattr(image, "_BUDGET", image._Budget(1))
        for _ in range(2):
            with pytest.raises(image.TruncatedImage):
                pixels(data[: len(data) // 2])
            assert (pixels(data) == poster(4)).all()


class TestWhatIsDrawn:
    """Pixels that a plain reading would hide."""

    @pytest.mark.parametrize("bits", [10, 12, 14, 16])
    def test_values_of_fewer_bits(self, bits: int) -> None:
        """In a PNG of 16 bits, grey, grey with alpha, colour or colour with alpha, they span the whole range."""
        gray = np.asarray(Image.fromarray(SMALL).convert("L"))
        stretch = (2**bits - 1) / 255
        for shown in (gray, np.dstack([gray] * 3), SMALL):
            shown = np.clip((shown.astype(float) - shown.min()) * 255 / np.ptp(shown), 0, 255)
            deep = np.rint(shown * stretch).astype(np.uint16)
            found = pixels(deep_png(deep))
            assert np.abs(found - (shown if shown.ndim == 3 else shown[..., None])).mean() < 1.5
        alpha = np.full(gray.shape, 2**bits - 1, np.uint16)
        for shown in (gray[..., None], SMALL):
            clear = np.rint(np.dstack([shown * stretch, alpha])).astype(np.uint16)
            assert np.abs(pixels(deep_png(clear)).astype(float) - shown).mean() < 3

    @pytest.mark.parametrize("kind", ["RGBA", "LA", "P"])
    def test_light_art(self, kind: str) -> None:
        """White on nothing lies on dark; dark on nothing, and a picture with clear corners, on white."""
        art = np.zeros((200, 200), np.uint8)
        art[40:160:20] = 255
        art[:, 60:140:16] = 255
        for shade, ground in ((255, image._DARK), (235, image._DARK), (20, 255), (120, 255)):
            layer = Image.fromarray(np.dstack([np.full((200, 200, 3), shade, np.uint8), art]))
            layer = layer.quantize(16, method=Image.Quantize.FASTOCTREE) if kind == "P" else layer.convert(kind)
            found = pixels(saved(layer, "PNG"))
            assert abs(int(found[1, 1, 0]) - ground) <= 3
            assert abs(int(found[45, 45, 0]) - ground) <= 3
            assert np.abs(found[100, 60].astype(int) - shade).max() <= 8
        corners = np.full(poster(6).shape[:2], 255, np.uint8)
        corners[:40, :40] = 0
        assert (pixels(saved(Image.fromarray(np.dstack([poster(6), corners])), "PNG"))[:30, :30] == 255).all()

    @pytest.mark.parametrize("shade", [0, 255])
    def test_nothing_drawn(self, shade: int) -> None:
        """A picture that is clear everywhere is white paper."""
        clear = np.dstack([np.full((64, 64, 3), shade, np.uint8), np.zeros((64, 64), np.uint8)])
        assert (pixels(saved(Image.fromarray(clear), "PNG")) == 255).all()


def deep_png(values: np.ndarray) -> bytes:
    """(H, W) or (H, W, C) uint16 as a PNG; C: 2 to 4, the second and the fourth are alpha."""
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    rows = values.astype(">u2").reshape(height, -1)
    body = io.BytesIO()
    for row in rows:
        body.write(b"\0" + row.tobytes())
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png_header(width, height, depth=16, colour=colour, body=zlib.compress(body.getvalue()))
