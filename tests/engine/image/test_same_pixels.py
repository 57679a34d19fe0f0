"""Pixels of ordinary files are the decoder's own, to the bit: what is stored of pictures was computed from them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from engine.image import EncodedImage, decode, trim_margins
from engine.settings import ImageLimits
from tests.support.drawn import poster
from tests.support.made_images import saved

LARGE = cv2.resize(poster(3), (1500, 2000), interpolation=cv2.INTER_CUBIC)
ALPHA = np.tile(np.linspace(0, 255, 1500).astype(np.uint8), (2000, 1))
EXIF = Image.Exif()
EXIF[0x0112] = 6
PICTURE = Image.fromarray(LARGE)
FILES = {
    "jpeg": saved(PICTURE, "JPEG", quality=90),
    "jpeg turned": saved(PICTURE, "JPEG", exif=EXIF.tobytes(), icc_profile=bytes(3000), comment=b"a comment"),
    "jpeg progressive": saved(PICTURE, "JPEG", progressive=True, subsampling=0),
    "jpeg grey": saved(PICTURE.convert("L"), "JPEG", restart_marker_rows=1),
    "jpeg of four inks": saved(PICTURE.convert("CMYK"), "JPEG"),
    "jpeg of two pictures": saved(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(180)]),
    "png": saved(PICTURE, "PNG"),
    "png turned": saved(PICTURE, "PNG", exif=EXIF.tobytes()),
    "png grey": saved(PICTURE.convert("L"), "PNG"),
    "png of two colours": saved(PICTURE.convert("1"), "PNG"),
    "png palette": saved(PICTURE.quantize(64), "PNG"),
    "png palette with a clear colour": saved(PICTURE.quantize(64), "PNG", transparency=5),
    "png with a clear colour": saved(PICTURE, "PNG", transparency=tuple(int(v) for v in LARGE[5, 5])),
    "png with alpha": saved(Image.fromarray(np.dstack([LARGE, ALPHA])), "PNG"),
    "png of 16 bits": saved(Image.fromarray(cv2.cvtColor(LARGE, cv2.COLOR_RGB2GRAY).astype(np.uint16) * 257), "PNG"),
    "animated png": saved(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(180)]),
    "webp": saved(PICTURE, "WEBP", exif=EXIF.tobytes()),
    "webp with alpha": saved(Image.fromarray(np.dstack([LARGE, ALPHA])), "WEBP"),
}


def straight(data: bytes, long_side: int) -> np.ndarray:
    """The file as it is, through Pillow, with all that it carries."""
    with Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"]) as picture:
        longest = max(picture.size)
        if picture.format in ("JPEG", "MPO"):
            picture.draft(None, tuple(max(1, side * long_side // longest) for side in picture.size))
        picture.load()
        turned = picture.getexif().get(0x0112, 1)
        if picture.mode.startswith("I;16"):
            picture = Image.fromarray((np.asarray(picture, np.float32) / 65535 * 255).astype(np.uint8))
        elif "A" in picture.mode or "transparency" in picture.info:
            layer = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        rgb = picture.convert("RGB")
        exif = Image.Exif()
        exif[0x0112] = turned
        rgb.info["exif"] = exif.tobytes()
        return np.asarray(ImageOps.exif_transpose(rgb))


class TestSamePixels:
    @pytest.mark.parametrize("name", FILES)
    def test_as_the_decoder_gives_them(self, name: str) -> None:
        """At every size that the engine asks for."""
        limits = ImageLimits(formats=("JPEG", "PNG", "WebP"))
        encoded = EncodedImage(FILES[name], limits=limits)
        for long_side in (320, 480, 640, 720, 960):
            found, size = decode(FILES[name], long_side=long_side, limits=limits)
            expected = straight(FILES[name], long_side)
            assert found.dtype == np.uint8
            assert np.array_equal(found, expected)
            assert np.array_equal(encoded.pixels(long_side), expected)
            assert size == encoded.size == ((2000, 1500) if "turned" in name or name == "webp" else (1500, 2000))

    def test_a_second_look(self) -> None:
        """It takes the first one's pixels where the codec would give the same, and only there."""
        jpeg, png = EncodedImage(FILES["jpeg"]), EncodedImage(FILES["png"])
        assert png.pixels(640) is png.pixels(960)
        assert jpeg.pixels(640) is jpeg.pixels(960)  # 2,000 pixels: half for both
        assert jpeg.pixels(480) is not jpeg.pixels(960)  # a quarter, then half
        assert jpeg.pixels(480).shape != jpeg.pixels(960).shape

    def test_margins_in_strips(self) -> None:
        """Margins are found strip by strip as in the whole picture."""
        image = cv2.copyMakeBorder(LARGE, 300, 17, 240, 3, cv2.BORDER_CONSTANT, value=(250, 250, 250))
        busy = np.abs(image.astype(np.int16) - image[0, 0].astype(np.int16)).max(-1) > 6
        rows, columns = np.flatnonzero(busy.mean(1) > 0.002), np.flatnonzero(busy.mean(0) > 0.002)
        assert trim_margins(image) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
