"""What a file holds around its pixels: none of it may refuse a picture, change it, or cost much."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.containers.container import CHUNKS
from engine.containers.jpeg import SCANS, SEGMENTS, TABLE_BYTES
from engine.containers.orientation import orientation_of
from engine.containers.read import read_container
from engine.errors import ImageTooLarge, NotAnImage, TruncatedImage
from engine.image import decode
from engine.settings import ImageLimits
from tests.support.made_images import SMALL, pixels, saved

ALL = ImageLimits(formats=("JPEG", "PNG", "WebP"))
JPEG = saved(Image.fromarray(SMALL), "JPEG", quality=92)
PROGRESSIVE = saved(Image.fromarray(SMALL), "JPEG", quality=92, progressive=True)
PNG = saved(Image.fromarray(SMALL), "PNG")
WEBP = saved(Image.fromarray(SMALL), "WEBP", lossless=True)
FILM = np.random.default_rng(5).integers(0, 256, 3_000_000, np.uint8).tobytes()
"""Random bytes as a film has them: the sign of a scan is among them some fifty times."""


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def in_jpeg(*segments: bytes, file: bytes = JPEG) -> bytes:
    """The file with more segments behind its first two bytes."""
    return file[:2] + b"".join(segments) + file[2:]


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def in_png(*chunks: bytes) -> bytes:
    """The file with more chunks behind its header."""
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def in_webp(*, flags: int, exif: bytes = b"", xmp: bytes = b"") -> bytes:
    height, width = SMALL.shape[:2]
    canvas = struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    parts = [(b"VP8X", canvas), (WEBP[12:16], WEBP[20:]), (b"EXIF", exif), (b"XMP ", xmp)]
    body = b"WEBP"
    for name, content in parts:
        if content:
            body += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def exif(*entries: tuple[int, int, int, bytes], order: str = ">", tail: bytes = b"\0\0\0\0") -> bytes:
    """A directory of (tag, kind, count, four bytes)."""
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}L", 8)
    table = b"".join(struct.pack(f"{order}HHL", *entry[:3]) + entry[3] for entry in entries)
    return head + struct.pack(f"{order}H", len(entries)) + table + tail


def turned(number: int) -> tuple[int, int, int, bytes]:
    return 0x0112, 3, 1, struct.pack(">H", number) + b"\0\0"


XMP = b'<x:xmpmeta tiff:Orientation="6"/>'
BAD_EXIF = {
    "rubbish": bytes(range(200)),
    "nothing": b"",
    "half a header": b"MM\0*",
    "directory outside": b"MM\0*" + struct.pack(">L", 10**9),
    "cut off": exif(turned(1), (1, 2, 3, b"abcd"))[:20],
    "a number of entries that is a lie": b"MM\0*" + struct.pack(">LH", 8, 65_535),
    "directories in a circle": exif((0x8769, 4, 1, struct.pack(">L", 8)), tail=struct.pack(">L", 8)),
    "values outside": exif((0x010F, 2, 2**31, struct.pack(">L", 2**31))),
    "resolution by zero": exif((0x011A, 5, 1, struct.pack(">L", 26)), tail=bytes(12)),
    "orientation 0": exif(turned(0)),
    "orientation 9": exif(turned(9)),
    "orientation as text": exif((0x0112, 2, 2, b"6\0\0\0")),
}


class TestMetadata:
    """Metadata may fail: pixels count."""

    @pytest.mark.parametrize("name", BAD_EXIF)
    def test_bad_exif(self, name: str) -> None:
        """EXIF that makes no sense changes nothing, in any format."""
        data = BAD_EXIF[name]
        for file, plain in (
            (in_jpeg(segment(0xE1, b"Exif\0\0" + data)), JPEG),
            (in_png(chunk(b"eXIf", data)), PNG),
            (in_webp(flags=8, exif=data), WEBP),
        ):
            found, size = decode(file, long_side=640, limits=ALL)
            assert (found == decode(plain, long_side=640, limits=ALL)[0]).all()
            assert size == (SMALL.shape[1], SMALL.shape[0])

    @pytest.mark.parametrize(
        "more",
        [
            chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(2_000_000))),
            chunk(b"iCCP", b"profile\0\x09rubbish"),
            chunk(b"iCCP", b""),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(2_000_000))),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0rubbish"),
            chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2_000_000))),
            chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n8\nno digits")),
            chunk(b"zTXt", b"Comment\0\7"),
            chunk(b"tEXt", b"a" * 100_000),
            chunk(b"gAMA", b""),
            chunk(b"cHRM", b"short"),
            chunk(b"pHYs", b""),
            chunk(b"acTL", b"short"),
            chunk(b"fcTL", bytes(26)) * 2,
            chunk(b"tEXt", b"a\0b")[:-4] + b"\0\0\0\0",
        ],
    )
    def test_bad_chunks(self, more: bytes) -> None:
        """A PNG's other chunks may be too large, broken, or of a wrong checksum."""
        assert (pixels(in_png(more)) == SMALL).all()

    @pytest.mark.parametrize(
        "more",
        [
            segment(0xE2, b"ICC_PROFILE\0\1\3" + bytes(60_000)),
            segment(0xE2, b"ICC_PROFILE\0"),
            segment(0xE2, b"MPF\0" + bytes(range(100))),
            segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0" + b"\xff" * 20),
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"\xff" * 60_000),
            segment(0xE0, b"JFIF"),
            segment(0xEE, b"Adobe"),
            segment(0xFE, b""),
            b"\xff\xfe\0\0 a length that is none",
            b"\xff" * 500,
            b"\xff\x00 rubbish between segments",
        ],
    )
    def test_bad_segments(self, more: bytes) -> None:
        """So may a JPEG's."""
        file = JPEG[:20] + more + JPEG[20:]
        assert (pixels(file) == pixels(JPEG)).all()

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("kind", [3, 4])
    def test_orientation(self, order: str, kind: int) -> None:
        """It is read in both orders of bytes, and of either size, behind other entries."""
        value = struct.pack(f"{order}H", 6) + b"\0\0" if kind == 3 else struct.pack(f"{order}L", 6)
        data = exif((0x0100, 4, 1, bytes(4)), (0x0112, kind, 1, value), order=order)
        assert orientation_of(data, b"") == 6
        assert orientation_of(b"Exif\0\0Exif\0\0" + data, b"") == 6

    def test_where_orientation_stands(self) -> None:
        """EXIF before XMP; in PNG also in a chunk behind the pixels or in ImageMagick's text; in WebP in its chunk."""
        upright = np.rot90(SMALL, -1)
        profile = b"\nexif\n100\n" + (b"Exif\0\0" + exif(turned(6))).hex().encode()
        for file in (
            in_png(chunk(b"eXIf", exif(turned(6)))),
            PNG[:-12] + chunk(b"eXIf", exif(turned(6))) + PNG[-12:],
            in_png(chunk(b"tEXt", b"Raw profile type exif\0" + profile)),
            in_png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))),
            in_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
            in_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP))),
            in_webp(flags=8, exif=exif(turned(6))),
            in_webp(flags=4, xmp=XMP),
        ):
            assert (pixels(file, limits=ALL) == upright).all()
        assert (pixels(in_png(chunk(b"eXIf", exif(turned(1))), chunk(b"iTXt", XMP))) == SMALL).all()
        in_xmp = in_jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP))
        assert (pixels(in_xmp) == np.rot90(pixels(JPEG), -1)).all()

    def test_exif_of_two_segments(self) -> None:
        """What is too long for one segment goes on in the next."""
        data = exif((0x0100, 4, 1, bytes(4)), turned(6))
        parts = (segment(0xE1, b"Exif\0\0" + part) for part in (data[:15], data[15:]))
        assert (pixels(in_jpeg(*parts)) == np.rot90(pixels(JPEG), -1)).all()


class TestEnd:
    """A JPEG's pixels are read where they are all there, whatever follows them or does not."""

    @pytest.mark.parametrize("file", [JPEG, PROGRESSIVE], ids=["baseline", "progressive"])
    @pytest.mark.parametrize("tail", [FILM, b"\xff\xda" * 100, JPEG * 40, bytes(100_000), b"\xff"])
    def test_what_follows_the_end(self, file: bytes, tail: bytes) -> None:
        """The film of a motion photo, further pictures, filling."""
        assert (pixels(file + tail) == pixels(file)).all()
        assert len(read_container(file + tail, "JPEG").data) <= len(file)

    @pytest.mark.parametrize("file", [JPEG, PROGRESSIVE], ids=["baseline", "progressive"])
    @pytest.mark.parametrize("tail", [b"", b"\xff", bytes(70_000)], ids=["nothing", "half of it", "zeros"])
    def test_no_end_mark(self, file: bytes, tail: bytes) -> None:
        """Without the end mark it is the same picture, also where zeros stand for what a disk had reserved."""
        assert (pixels(file[:-2] + tail) == pixels(file)).all()

    @pytest.mark.parametrize("file", [JPEG, PROGRESSIVE], ids=["baseline", "progressive"])
    @pytest.mark.parametrize("tail", [b"", bytes(70_000)], ids=["nothing", "zeros"])
    def test_pixels_that_are_missing(self, file: bytes, tail: bytes) -> None:
        """A picture that lacks pixels is refused, wherever it is cut, and is never filled up with grey."""
        for cut in [*range(200, len(file) - 12, 61), len(file) - 12]:
            with pytest.raises(TruncatedImage):
                pixels(file[:cut] + tail)

    def test_damage_among_the_pixels(self) -> None:
        """Where damage hides the end from who walks the segments, the decoder judges the file as it is."""
        at = JPEG.index(b"\xff\xda") + 200
        damaged = JPEG[:at] + b"\xff\xe5\xff\xff" + JPEG[at:]
        container = read_container(damaged, "JPEG")
        assert container.ended
        assert container.data.endswith(damaged[at:])

    def test_scans_that_are_missing(self) -> None:
        """So is a progressive one that ends between two scans: its pixels are not the picture's yet."""
        last = PROGRESSIVE.rindex(b"\xff\xda")
        with pytest.raises(TruncatedImage):
            pixels(PROGRESSIVE[:last])

    def test_png_without_an_end(self) -> None:
        """A PNG needs no end chunk, nor the checksum of its pixels' chunk."""
        assert (pixels(PNG[:-12]) == SMALL).all()
        assert (pixels(PNG[:-16]) == SMALL).all()
        assert (pixels(PNG + FILM) == SMALL).all()


class TestWork:
    """Files of thousands of pieces are refused, or handed on as few; what is handed on carries no metadata."""

    @pytest.mark.parametrize(
        "piece",
        [
            segment(0xE1, b"Exif\0\0" + bytes(10)),
            segment(0xE5, b""),
            segment(0xFE, b""),
            segment(0xC4, b""),
            b"\xff\xd0",
        ],
    )
    def test_many_segments(self, piece: bytes) -> None:
        """Whatever they are, and the message names limit and number."""
        assert (pixels(in_jpeg(piece * (SEGMENTS - 100))) == pixels(JPEG)).all()
        for file in (in_jpeg(piece * 500_000), JPEG[:-2] + segment(0xFE, b"") * 500_000 + JPEG[-2:]):
            with pytest.raises(ImageTooLarge) as caught:
                pixels(file, limits=ImageLimits(max_bytes=10**8))
            assert (caught.value.what, caught.value.actual, caught.value.limit) == ("segments", SEGMENTS + 1, SEGMENTS)

    def test_many_scans(self) -> None:
        """A scan that is repeated is refused beyond the limit."""
        last = PROGRESSIVE.rindex(b"\xff\xda")
        with pytest.raises(ImageTooLarge) as caught:
            pixels(PROGRESSIVE[:-2] + PROGRESSIVE[last:-2] * 100 + PROGRESSIVE[-2:])
        assert (caught.value.what, caught.value.limit) == ("scans", SCANS)

    @pytest.mark.parametrize("piece", [segment(0xDB, bytes(65)), segment(0xDB, bytes(65) * 900)])
    def test_many_tables(self, piece: bytes) -> None:
        """So are tables: decoders copy the rest of them at each."""
        with pytest.raises(ImageTooLarge) as caught:
            pixels(in_jpeg(piece * (2 * TABLE_BYTES // len(piece) + 1)))
        assert (caught.value.what, caught.value.limit) == ("bytes of tables", TABLE_BYTES)

    @pytest.mark.parametrize("name", [b"IDAT", b"tEXt", b"eXIf", b"PLTE", b"abCd"])
    def test_many_chunks(self, name: bytes) -> None:
        """A PNG's likewise; of what is let through one of each kind is handed on."""
        many = in_png(chunk(name, b"") * (CHUNKS - 100))
        assert (pixels(many, limits=ImageLimits(max_bytes=10**8)) == SMALL).all()
        assert read_container(many, "PNG").data.count(b"IDAT") == 1
        with pytest.raises(ImageTooLarge) as caught:
            pixels(in_png(chunk(name, b"") * (CHUNKS + 1)), limits=ImageLimits(max_bytes=10**8))
        assert (caught.value.what, caught.value.actual, caught.value.limit) == ("chunks", CHUNKS + 1, CHUNKS)

    def test_many_chunks_of_webp(self) -> None:
        """WebP's too."""
        with pytest.raises(ImageTooLarge):
            pixels(WEBP + (b"abcd" + bytes(4)) * (CHUNKS + 1), limits=ALL)

    def test_large_metadata_is_left_out(self) -> None:
        """The file that decoders are given is as long as that of the pixels alone."""
        exif_segments = segment(0xE1, b"Exif\0\0" + exif(turned(1)) + bytes(65_000)) * 150
        assert len(read_container(in_jpeg(exif_segments), "JPEG").data) <= len(JPEG)
        texts = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(10**6))) * 500
        assert len(read_container(in_png(texts, chunk(b"eXIf", bytes(10**6))), "PNG").data) <= len(PNG)

    def test_pixels_in_thousands_of_chunks(self) -> None:
        """Some writers cut the pixels small: they are one chunk to the decoder."""
        body = read_container(PNG, "PNG").data.split(b"IDAT", 1)[1][:-16]
        cut = b"".join(chunk(b"IDAT", body[i : i + 1]) for i in range(len(body)))
        assert (pixels(PNG[:33] + cut + PNG[-12:]) == SMALL).all()


class TestSharedCases:
    @pytest.mark.shared
    @pytest.mark.parametrize(
        "name", ["exif_garbage_dpi72.jpg", "jpeg_no_eoi.jpg", "motion_photo_standin.jpg", "png_icc_2mb.png"]
    )
    def test_files_that_were_refused(self, shared_data: Path, name: str) -> None:
        """Files of other people's phones and programs are read; the JPEGs are one picture, whatever is around it."""
        cases = shared_data.parent / "cases"
        found = pixels((cases / name).read_bytes())
        if name.endswith(".jpg"):
            assert (found == pixels((cases / "ok.jpg").read_bytes())).all()

    @pytest.mark.parametrize(
        "data", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"RIFF\0\0\0\0WEBPVP8X"]
    )
    def test_nothing_inside(self, data: bytes) -> None:
        """A file that ends with its first bytes is no image, or damaged."""
        with pytest.raises((NotAnImage, TruncatedImage)):
            pixels(data, limits=ALL)
