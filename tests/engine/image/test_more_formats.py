"""Formats that a setting allows: read by content within the limits of the others, whatever is inside."""

from __future__ import annotations

import contextlib
import io
import struct
import time

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.containers.container import CHUNKS
from engine.containers.tiff import ENTRIES
from engine.errors import ImageError, ImageTooLarge, ImageTooSmall, TruncatedImage, UnsupportedFormat
from engine.image import EncodedImage, decode, sniff
from engine.settings import FORMATS, ImageLimits
from tests.support.made_images import SMALL, saved

ALL = ImageLimits(formats=FORMATS)
PICTURE = Image.fromarray(SMALL)


def heic(picture: Image.Image, **options: object) -> bytes:

    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=95, **options)
    return buffer.getvalue()


FILES: dict[str, bytes] = {
    "AVIF": saved(PICTURE, "AVIF", quality=95),
    "HEIC": heic(PICTURE),
    "GIF": saved(PICTURE, "GIF"),
    "TIFF": saved(PICTURE, "TIFF"),
    "BMP": saved(PICTURE, "BMP"),
    "WebP": saved(PICTURE, "WEBP", quality=95),
}
"""By format; the same picture in each."""


def pixels(data: bytes) -> np.ndarray:
    return decode(data, long_side=640, limits=ALL)[0]


def apart(data: bytes, picture: np.ndarray = SMALL) -> float:
    """Mean difference in grey levels."""
    return float(np.abs(pixels(data).astype(float) - picture).mean())


class TestRead:
    @pytest.mark.parametrize("name", FILES)
    def test_by_content(self, name: str) -> None:
        """The picture, its size and its format; refused where the setting does not name it, which is the default."""
        data = FILES[name]
        assert sniff(data) == name
        assert apart(data) < 8  # a GIF has 256 colours
        assert decode(data, long_side=640, limits=ALL)[1] == (90, 120)
        with pytest.raises(UnsupportedFormat, match=name):
            decode(data, long_side=640)

    @pytest.mark.parametrize("name", FILES)
    def test_limits(self, name: str) -> None:
        """Of pixels, bytes and sides, before a pixel is decoded."""
        data = FILES[name]
        for limits, error in (
            (ImageLimits(formats=FORMATS, max_pixels=90 * 120 - 1), ImageTooLarge),
            (ImageLimits(formats=FORMATS, max_bytes=len(data) - 1), ImageTooLarge),
            (ImageLimits(formats=FORMATS, min_side=91), ImageTooSmall),
        ):
            with pytest.raises(error):
                EncodedImage(data, limits=limits)

    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
    def test_tiffs(self, compression: str | None) -> None:
        """As scanners write them: packed or not, in grey, CMYK, palettes, one bit, 16 bits, several pages."""
        assert apart(saved(PICTURE, "TIFF", compression=compression)) < 6
        for mode in ("L", "CMYK", "P", "RGBA"):
            converted = PICTURE.convert(mode)
            shown = np.asarray(converted.convert("RGB"))
            if compression == "jpeg" and mode != "L":
                continue
            assert apart(saved(converted, "TIFF", compression=compression), shown) < 6
        pages = saved(PICTURE, "TIFF", save_all=True, append_images=[PICTURE.rotate(180)], compression=compression)
        assert apart(pages) < 6

    def test_deep_tiffs(self) -> None:
        grey = np.asarray(PICTURE.convert("L"))
        deep = Image.fromarray((grey.astype(np.uint16) << 8) | grey)
        assert apart(saved(deep, "TIFF"), np.repeat(grey[..., None], 3, 2)) < 2
        big_endian = Image.frombytes("I;16B", deep.size, np.asarray(deep).astype(">u2").tobytes())
        assert apart(saved(big_endian, "TIFF"), np.repeat(grey[..., None], 3, 2)) < 2
        fax = PICTURE.convert("1")
        shown = np.repeat((np.asarray(fax) * 255)[..., None], 3, 2)
        assert apart(saved(fax, "TIFF", compression="group4"), shown) == 0

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation(self, orientation: int) -> None:
        """Told in a TIFF's own directory, and in an AVIF's boxes. (A HEIC is turned by its decoder.)"""
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = pixels(saved(PICTURE, "JPEG", exif=exif.tobytes(), quality=95))
        assert apart(saved(PICTURE, "TIFF", exif=exif), turned) < 6
        assert apart(saved(PICTURE, "AVIF", exif=exif, quality=95), turned) < 6

    def test_moving_pictures(self) -> None:
        """The first one of a GIF and of an AVIF, with what is clear laid on a ground."""
        others = [PICTURE.rotate(180), PICTURE.rotate(90)]
        for kind in ("GIF", "AVIF", "WEBP"):
            assert apart(saved(PICTURE, kind, save_all=True, append_images=others)) < 8
        clear = PICTURE.convert("RGBA")
        clear.putalpha(Image.new("L", clear.size, 0))
        clear.paste(PICTURE.convert("RGBA").crop((0, 0, 90, 60)), (0, 0))
        for kind in ("GIF", "AVIF", "TIFF"):
            shown = pixels(saved(clear, kind))
            assert shown[90:].mean() > 240
            assert shown[:50].mean() < 240

    def test_bmps(self) -> None:
        """Palettes and one bit; packed ones are refused with the reason."""
        for mode in ("P", "L", "1"):
            converted = PICTURE.convert(mode)
            assert apart(saved(converted, "BMP"), np.asarray(converted.convert("RGB"))) < 1
        packed = bytearray(saved(PICTURE.convert("P"), "BMP"))
        packed[30] = 1
        with pytest.raises(UnsupportedFormat, match="packed"):
            decode(bytes(packed), long_side=640, limits=ALL)

    def test_brands(self) -> None:
        """A file of the general kind is what its list of brands says."""
        avif = FILES["AVIF"]
        general = avif[:8] + b"mif1" + avif[12:]
        assert sniff(general) == "AVIF"
        assert apart(general) < 8


def cost(data: bytes) -> float:
    started = time.process_time()
    with contextlib.suppress(ImageError):
        decode(data, long_side=640, limits=ALL)
    return time.process_time() - started


class TestHostile:
    """What costs a decoder time or memory is refused before it."""

    def test_comments_of_a_gif(self) -> None:
        """They are left out, and blocks without number are refused."""
        gif = FILES["GIF"]
        start = 13 + (3 * 2 ** ((gif[10] & 7) + 1) if gif[10] & 0x80 else 0)
        comment = b"\x21\xfe" + (b"\xff" + b"a" * 255) * 1_000 + b"\0"
        assert apart(gif[:start] + comment * 30 + gif[start:]) < 8
        many = gif[:start] + b"\x21\xfe\x01a\0" * (CHUNKS + 1) + gif[start:]
        with pytest.raises(ImageTooLarge, match="blocks"):
            decode(many, long_side=640, limits=ALL)

    def test_claims(self) -> None:
        """Of sizes that no picture has."""
        for name, at, width in (("GIF", 6, "<HH"), ("BMP", 18, "<ii")):
            data = bytearray(FILES[name])
            struct.pack_into(width, data, at, 32_000, 32_000)
            with pytest.raises(ImageTooLarge, match="pixels"):
                decode(bytes(data), long_side=640, limits=ALL)
        for name in ("AVIF", "HEIC"):
            data = bytearray(FILES[name])
            at = data.index(b"ispe") + 8
            struct.pack_into(">II", data, at, 32_000, 32_000)
            with pytest.raises(ImageTooLarge, match="pixels"):
                decode(bytes(data), long_side=640, limits=ALL)

    def test_directories_of_a_tiff(self) -> None:
        """Entries that each point to the whole file are not read, and those that count are counted."""
        tiff = FILES["TIFF"]
        order = "<" if tiff[:2] == b"II" else ">"
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (number,) = struct.unpack_from(f"{order}H", tiff, at)
        entries = tiff[at + 2 : at + 2 + 12 * number]
        body = tiff + bytes(3_000_000)

        def with_entries(*more: bytes) -> bytes:
            count = number + len(more)
            directory = struct.pack(f"{order}H", count) + entries + b"".join(more) + bytes(4)
            return tiff[:4] + struct.pack(f"{order}I", len(body)) + body[8:] + directory

        pointing = [struct.pack(f"{order}HHII", 40_000 + i, 7, 3_000_000, 8) for i in range(900)]
        assert apart(with_entries(*pointing)) < 1
        with pytest.raises(ImageTooLarge, match="entries"):
            decode(with_entries(*pointing[:1] * ENTRIES), long_side=640, limits=ALL)
        for kind, tag in ((9, 256), (9, 257), (4, 259)):
            told = struct.pack(f"{order}HHII", tag, kind, 1 if kind == 9 else 2, 9_000)
            other = tiff[:4] + struct.pack(f"{order}I", len(body)) + body[8:]
            directory = struct.pack(f"{order}H", number + 1) + told + entries + bytes(4)
            with pytest.raises(TruncatedImage):
                decode(other + directory, long_side=640, limits=ALL)
        many = struct.pack(f"{order}HHII", 324, 4, 30_000, 8)
        with pytest.raises(ImageTooLarge, match="strips"):
            decode(with_entries(many), long_side=640, limits=ALL)
        again = struct.pack(f"{order}HHII", 325, 4, 1, len(body) + 10_000)
        with pytest.raises(TruncatedImage):
            decode(with_entries(again), long_side=640, limits=ALL)
        palette = struct.pack(f"{order}HHII", 320, 3, 2_500_000, 8)
        with pytest.raises(ImageTooLarge, match="bytes of values"):
            decode(with_entries(palette), long_side=640, limits=ALL)

    @pytest.mark.parametrize("name", FILES)
    def test_a_loop_of_boxes(self, name: str) -> None:
        """Nothing that is empty, nested or repeated is followed for long."""
        head = FILES[name][:32]
        for filling in (bytes(8), b"\0\0\0\x08meta", b"\xff" * 8, b"\0\0\0\x01meta\0\0\0\0\0\0\0\x10"):
            assert cost(head + filling * 200_000) < 20

    @pytest.mark.parametrize("name", FILES)
    @settings(max_examples=60, deadline=None)
    @given(drawn=st.data())
    def test_any_damage(self, name: str, drawn: st.DataObject) -> None:
        """Bytes changed, left out or put in anywhere: an image or an ImageError, nothing else."""
        data = bytearray(FILES[name])
        for _ in range(drawn.draw(st.integers(1, 8))):
            at = drawn.draw(st.integers(0, min(len(data) - 1, 600)))
            kind = drawn.draw(st.sampled_from(["set", "cut", "put"]))
            if kind == "set":
                data[at] = drawn.draw(st.integers(0, 255))
            elif kind == "cut":
                del data[at : at + drawn.draw(st.integers(1, 20))]
            else:
                data[at:at] = drawn.draw(st.binary(max_size=20))
        try:
            image = decode(bytes(data), long_side=640, limits=ALL)[0]
        except ImageError:
            return
        assert image.dtype == np.uint8
        assert image.shape[2] == 3

    @pytest.mark.parametrize("name", FILES)
    def test_cut_anywhere(self, name: str) -> None:
        data = FILES[name]
        for length in range(0, len(data), max(1, len(data) // 60)):
            try:
                decode(data[:length], long_side=640, limits=ALL)
            except ImageError:
                continue
        with pytest.raises((TruncatedImage, UnsupportedFormat)):
            decode(data[:60], long_side=640, limits=ALL)
