"""Image bytes to pixels. The container is walked and judged before any pixel is decoded.

Only this module decodes. Results are RGB, (H, W, 3) uint8, upright (EXIF orientation applied).
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from engine.containers.jpeg import END_OF_JPEG
from engine.containers.read import read_container
from engine.errors import (
    DamagedData,
    ImageError,
    ImageTooLarge,
    ImageTooSmall,
    NotAnImage,
    TruncatedImage,
    UnsupportedFormat,
)
from engine.settings import ImageLimits
from engine.values import ByteArray, ColorImage, GrayImage

_MAGIC = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": (b"II*\x00", b"MM\x00*"),
}


_BRANDS = {"AVIF": {b"avif", b"avis"}, "HEIC": {b"heic", b"heix", b"heim", b"heis", b"mif1"}}
"""By what the type of a file in boxes says; a picture of the general kind may be of either codec."""
_FTYP_BYTES = 128
"""As much of a file's type is looked at."""
_EXIF_ORIENTATION = 0x0112
_DECODER_TELLS = ("AVIF", "HEIC")
"""Formats of which the decoder says how large a picture is, and how it is turned, before it decodes one."""
WHOLE_PIXELS = 30_000_000
"""All but JPEG have no reduced decoding: larger ones are shrunk, strip by strip, while they become RGB. Smaller ones
stay whole, so that what was stored of them is found again to the digit."""
WORKING_BYTES = 500_000_000
"""What all threads of the process may hold at once of pictures that are being decoded; one that takes more is decoded
alone."""
_SMALL_BYTES = 32_000_000
"""Pictures that take less wait for nobody."""
_STRIP_PIXELS = 1_000_000
"""Of a strip: its working copies take 16 MB."""
_TOPS = (255, 1023, 4095, 16383, 65535)
"""Largest values of 8, 10, 12, 14 and 16 bits: scanners and cameras write theirs into 16 without stretching them."""
_DEEP_PIXELS = 16_000_000
"""Up to so many a picture of 16 bits in colour is read once more where its upper 8 bits are nearly empty."""
_WHITE, _DARK = 255, 40
_GROUND_SIDE = 512
"""Longer side of the grid of pixels by which a ground is chosen."""
_SHOWN_BETTER = 2.0
"""Times that the contrast on dark must exceed that on white: white is what paper is."""
_BEHIND_THE_LAST = bytes(range(1, 255, 3)) * 2
"""Bytes that stand for pixels that may be missing."""


def sniff(data: bytes) -> str:
    """The format's name by the first bytes. Raises NotAnImage."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        # ISO/IEC 14496-12, 4.3: the major brand, a version, then those that the file is compatible with.
        length = min(int.from_bytes(data[:4], "big"), _FTYP_BYTES)
        brands = {data[8:12], *(data[i : i + 4] for i in range(16, length - 3, 4))}
        for name, own in _BRANDS.items():
            if brands & own:
                return name
    for name, starts in _MAGIC.items():
        if data.startswith(starts):
            return name
    raise NotAnImage


def decode(data: bytes, *, long_side: int, limits: ImageLimits | None = None) -> tuple[ColorImage, tuple[int, int]]:
    """Decodes to RGB (H, W, 3) uint8 with its longer side at most about 2 x `long_side`, where the codec
    can reduce while decoding, and gives the full upright size (width, height) beside it.

    Raises NotAnImage, UnsupportedFormat, ImageTooLarge, ImageTooSmall, TruncatedImage.
    """
    image = EncodedImage(data, limits=limits)
    return image.pixels(long_side), image.size


def decode_kept(jpeg: bytes, *, long_side: int) -> ColorImage:
    """A picture that the gallery keeps. Raises DamagedData: what is wrong with it is no fault of a photo's sender."""
    try:
        return decode(jpeg, long_side=long_side)[0]
    except ImageError as error:
        raise DamagedData(
            f"a kept picture cannot be read: {error}; add the picture again, or restore a backup"
        ) from error


class EncodedImage:
    """An image file whose container was judged: pixels are decoded when they are asked for. Belongs to one thread."""

    def __init__(self, data: bytes, *, limits: ImageLimits | None = None) -> None:
        """Raises NotAnImage, UnsupportedFormat, ImageTooLarge, ImageTooSmall, TruncatedImage."""
        limits = limits or ImageLimits()
        if len(data) > limits.max_bytes:
            raise ImageTooLarge("bytes", len(data), limits.max_bytes)
        self._name = sniff(data)
        if self._name not in limits.formats:
            raise UnsupportedFormat(self._name, limits.formats)
        self._container = read_container(data, self._name)
        self._decoded: tuple[int, ColorImage] | None = None
        self._check_size(limits)
        if self._name in _DECODER_TELLS:
            with _decoder_errors(self._name), _opened(self._name, self._container.data) as picture:
                told = 1 if self._name == "HEIC" else picture.getexif().get(_EXIF_ORIENTATION, 1)
                turned = told if isinstance(told, int) and 1 <= told <= 8 else 1
                self._container = replace(self._container, size=picture.size, orientation=turned)
            self._check_size(limits)
        width, height = self._stored = self._container.size
        if min(width, height) < limits.min_side:
            raise ImageTooSmall(width, height, limits.min_side)

    def _check_size(self, limits: ImageLimits) -> None:
        width, height = self._container.size
        if width * height > limits.max_pixels:
            raise ImageTooLarge("pixels", width * height, limits.max_pixels)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole image, upright."""
        width, height = self._stored
        return (height, width) if self._container.orientation >= 5 else (width, height)

    @property
    def mode(self) -> str:
        """Pillow's name of the pixels as they are stored: L, RGB, RGBA, P, CMYK … Raises TruncatedImage."""
        with _decoder_errors(self._name), _opened(self._name, self._container.data) as picture:
            return picture.mode

    def pixels(self, long_side: int) -> ColorImage:
        """As `decode` gives them; not to be written to. Raises TruncatedImage.

        The last decoding is kept for a second look: it serves where a JPEG would be reduced alike, and always where
        nothing can be reduced. A JPEG that the second look would reduce less is decoded again, from the file without
        its metadata: pixels that were shrunk from a larger decoding differ from the codec's own, and with them the
        answers (640 and 960 pixels of 3,000: a quarter and a half).
        """
        reduction = self._reduction(long_side)
        if self._decoded is None or self._decoded[0] != reduction:
            self._decoded = None  # given back before the next one is made
            with _decoder_errors(self._name), _BUDGET.share(self._cost(reduction)):
                self._decoded = (reduction, self._decode(reduction))
        return self._decoded[1]

    def _reduction(self, long_side: int) -> int:
        """By how much both sides are divided, a whole number."""
        width, height = self._stored
        if self._name != "JPEG":
            # Of several whole numbers the least that comes below the limit.
            return next(k for k in (1, 2, 3, 4, 8, 16, 32, 64) if width * height <= k * k * WHOLE_PIXELS)
        # The largest reduction of the codec that keeps the longer side at `long_side` or more.
        longest = max(width, height)
        target = max(1, width * long_side // longest), max(1, height * long_side // longest)
        least = min(width // target[0], height // target[1])
        return next((k for k in (8, 4, 2) if least >= k), 1)

    def _cost(self, reduction: int) -> int:
        """Bytes that decoding needs at once: about what Pillow and libjpeg hold, and the result."""
        pixels = self._stored[0] * self._stored[1]
        if self._name == "JPEG":
            return 2 * pixels * self._container.buffered_channels + 7 * pixels // reduction**2
        held = 4 if self._name == "PNG" else 16  # the decoders of WebP and AVIF keep two frames and give a third
        return held * pixels + 3 * pixels // reduction**2

    def _decode(self, reduction: int) -> ColorImage:
        container = self._container
        if container.ended:
            image = self._read(container.data, reduction)
        else:
            # libjpeg makes up pixels that a file lacks, and says so to nobody. What it makes up depends on the bytes
            # that follow; pixels that are there do not.
            image = self._read(container.data + END_OF_JPEG, reduction)
            if (image != self._read(container.data + _BEHIND_THE_LAST + END_OF_JPEG, reduction)).any():
                raise TruncatedImage(self._name)
        return _upright(image, container.orientation)

    def _read(self, data: bytes, reduction: int) -> ColorImage:
        with _opened(self._name, data) as picture:
            if self._name == "JPEG":
                width, height = picture.size
                picture.draft(None, (max(1, width // reduction), max(1, height // reduction)))
                return _to_rgb(picture, 1)
            if self._container.deep_colour:
                return _to_rgb(_stretched(picture, data), reduction)
            return _to_rgb(picture, reduction)


def _opened(name: str, data: bytes) -> Image.Image:
    """A file whose pixels are still to be decoded. Raises UnsupportedFormat where HEIC's decoder is not installed, and
    what Pillow does."""
    if name != "HEIC":
        return Image.open(io.BytesIO(data), formats=[name.upper()])
    if not can_decode("HEIC"):
        raise UnsupportedFormat("HEIC without the extra `heic`", ("JPEG", "PNG"))
    from pillow_heif.as_plugin import HeifImageFile  # loaded for this alone: it is an extra

    opened: Image.Image = HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]
    return opened


def can_decode(name: str) -> bool:
    """Whether the codec of a format, one of `engine.settings.FORMATS`, is installed."""
    return name != "HEIC" or importlib.util.find_spec("pillow_heif") is not None


@contextlib.contextmanager
def _decoder_errors(name: str) -> Iterator[None]:
    """What decoders raise for damage, as TruncatedImage."""
    try:
        yield
    except (
        UnidentifiedImageError,
        OSError,
        EOFError,
        RuntimeError,  # what the decoders of AVIF and HEIC raise
        Image.DecompressionBombError,
        Warning,  # where a process makes errors of them
        ValueError,
        SyntaxError,  # what Pillow raises for a broken PNG chunk
        IndexError,
        KeyError,
        TypeError,
        ArithmeticError,
        struct.error,
        cv2.error,
    ) as error:
        raise TruncatedImage(name) from error


class _Budget:
    """Bytes that the threads of a process share."""

    def __init__(self, total: int) -> None:
        self._total, self._used = total, 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def share(self, wanted: int) -> Iterator[None]:
        """While it is entered, `wanted` bytes are taken; it waits for them. Who wants more than there are gets them
        when nobody else has any. A thread takes one share at a time, so that none waits for itself."""
        if wanted <= _SMALL_BYTES:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + wanted <= self._total)
            self._used += wanted
        try:
            yield
        finally:
            with self._changed:
                self._used -= wanted
                self._changed.notify_all()


_BUDGET = _Budget(WORKING_BYTES)


def _to_rgb(picture: Image.Image, reduction: int) -> ColorImage:
    """(H, W, 3) uint8, both sides divided by `reduction` (rounded up), in strips: a copy in another mode takes as much
    as the picture itself, and laying it on a ground takes three."""
    width, height = picture.size
    clear = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    deep = picture.mode.startswith("I;16")
    top, ground = 255, _WHITE
    if deep:
        top = _top(int(np.asarray(picture).max()))  # Pillow tells the extremes of one order of bytes only
    elif clear:
        ground = _ground(picture)
    rows = max(1, _STRIP_PIXELS // (width * reduction)) * reduction
    if rows >= height and reduction == 1:
        return _strip(picture, top=top, deep=deep, clear=clear, ground=ground)
    result = np.empty((-(-height // reduction), -(-width // reduction), 3), np.uint8)
    for start in range(0, height, rows):
        part = picture.crop((0, start, width, min(start + rows, height)))
        part.info = picture.info  # a colour may be declared transparent there
        strip = _strip(part, top=top, deep=deep, clear=clear, ground=ground)
        if reduction > 1:
            size = result.shape[1], -(-len(strip) // reduction)
            strip = cv2.resize(strip, size, interpolation=cv2.INTER_AREA)
        result[start // reduction :][: len(strip)] = strip
    return result


def _strip(part: Image.Image, *, top: int, deep: bool, clear: bool, ground: int) -> ColorImage:
    """top: the value that is white, of a deep one; ground: the grey that a clear one is laid on."""
    if deep:
        values = np.asarray(part, np.float32)
        gray = (np.clip(values / np.float32(top), 0, 1) * 255).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    if clear:
        layer = part.convert("RGBA")
        part = Image.alpha_composite(Image.new("RGBA", layer.size, (ground, ground, ground, 255)), layer)
    return np.asarray(part.convert("RGB"))


def _top(largest: int) -> int:
    return next(top for top in _TOPS if largest <= top)


def _stretched(picture: Image.Image, data: bytes) -> Image.Image:
    """A PNG of 16 bits in colour, of which Pillow keeps the upper 8, or, where these are nearly empty because the
    values have 14 bits or fewer, 8 of those that are used. data: its file."""
    largest = max(int(high) for _, high in picture.getextrema()[:3])  # type: ignore[misc]  # a pair for each channel
    if largest >= 64 or picture.width * picture.height > _DEEP_PIXELS:
        return picture
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        return picture
    colours = values[..., 2::-1]  # OpenCV's order is blue, green, red
    eight = (colours * np.float32(255 / _top(int(colours.max())))).astype(np.uint8)
    if values.shape[2] == 3:
        return Image.fromarray(eight)
    alpha = values[..., 3:]
    return Image.fromarray(np.dstack([eight, (alpha * np.float32(255 / _top(int(alpha.max())))).astype(np.uint8)]))


def _ground(picture: Image.Image) -> int:
    """The grey that shows what is drawn on a transparent picture: white, unless that hides it and dark does not."""
    longest = max(picture.size)
    width, height = (max(1, min(side, side * _GROUND_SIDE // longest)) for side in picture.size)
    sample = np.asarray(picture.resize((width, height), Image.Resampling.NEAREST).convert("RGBA"), np.float32)
    gray, alpha = sample[..., :3].mean(-1), sample[..., 3] / 255
    on_white, on_dark = (float((gray * alpha + ground * (1 - alpha)).std()) for ground in (_WHITE, _DARK))
    return _DARK if on_dark > _SHOWN_BETTER * on_white else _WHITE


def _upright(image: ColorImage, orientation: int) -> ColorImage:
    """EXIF 2.32, 4.6.4 "Orientation"."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def to_gray(image: ColorImage) -> ByteArray:
    """(H, W) uint8 luma."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def trim_margins(image: ColorImage, *, tolerance: int = 6) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the picture without its plain margins, at most a third from each side.

    A margin's rows and columns differ from the corner's colour by `tolerance` grey levels at most; the
    whole picture is given where nothing would be left.
    """
    height, width = image.shape[:2]
    corner = image[0, 0].astype(np.int16)
    in_rows, in_columns = np.zeros(height, np.int64), np.zeros(width, np.int64)
    step = max(1, _STRIP_PIXELS // width)
    for start in range(0, height, step):  # the differences of a whole picture would take six times its own bytes
        busy = np.abs(image[start : start + step].astype(np.int16) - corner).max(-1) > tolerance
        in_rows[start : start + step] = busy.sum(1)
        in_columns += busy.sum(0)
    rows, columns = np.flatnonzero(in_rows / width > 0.002), np.flatnonzero(in_columns / height > 0.002)
    if not len(rows) or not len(columns):
        return 0, 0, width, height
    left, right = min(int(columns[0]), width // 3), max(int(columns[-1]) + 1, width - width // 3)
    top, bottom = min(int(rows[0]), height // 3), max(int(rows[-1]) + 1, height - height // 3)
    return left, top, right, bottom


def encode_jpeg(image: ColorImage | GrayImage, *, quality: int = 85) -> bytes:
    """The picture as JPEG bytes, with one channel where it is grey, (H, W)."""
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return encoded.tobytes()


def resize_long_side(image: np.ndarray, long_side: int) -> np.ndarray:
    """The image with its longer side at `long_side` pixels; enlarged images are interpolated."""
    height, width = image.shape[:2]
    factor = long_side / max(height, width)
    if abs(factor - 1) < 1e-3:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
