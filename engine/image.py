"""Image bytes to pixels. The header is read and judged before any pixel is decoded.

Only this module decodes. Results are RGB, (H, W, 3) uint8, upright (EXIF orientation applied).
"""

from __future__ import annotations

import io
import re
import struct
import warnings

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from engine.errors import (
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


PNG_PIXELS = 30_000_000
"""PNG has no reduced decoding: a transparent one of this size costs 380 MB while it is laid over white."""
JPEG_SCANS = 32
"""A progressive JPEG refines its pixels in about ten scans; a thousand empty ones would keep the decoder busy
for most of a minute."""


def sniff(data: bytes) -> str:
    """The format's name by the first bytes. Raises NotAnImage."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        return "AVIF" if data[8:12] == b"avif" else "HEIC"
    for name, starts in _MAGIC.items():
        if data.startswith(starts):
            return name
    raise NotAnImage


def decode(data: bytes, *, long_side: int, limits: ImageLimits | None = None) -> tuple[ColorImage, tuple[int, int]]:
    """Decodes to RGB (H, W, 3) uint8 with its longer side at most about 2 x `long_side`, where the codec
    can reduce while decoding, and gives the full upright size (width, height) beside it.

    Raises NotAnImage, UnsupportedFormat, ImageTooLarge, ImageTooSmall, TruncatedImage.
    """
    limits = limits or ImageLimits()
    if len(data) > limits.max_bytes:
        raise ImageTooLarge("bytes", len(data), limits.max_bytes)
    name = sniff(data)
    if name not in limits.formats:
        raise UnsupportedFormat(name, limits.formats)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata; our own limits stand
            with Image.open(io.BytesIO(data), formats=[name.upper()]) as picture:
                return _pixels(picture, data, name, long_side=long_side, limits=limits)
    except (ImageTooLarge, ImageTooSmall, TruncatedImage):
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, reached before it tells us the size
        found = re.search(r"\d+", str(error))
        raise ImageTooLarge("pixels", int(found[0]) if found else limits.max_pixels + 1, limits.max_pixels) from error
    except (
        UnidentifiedImageError,
        OSError,
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


def _pixels(
    picture: ImageFile.ImageFile, data: bytes, name: str, *, long_side: int, limits: ImageLimits
) -> tuple[ColorImage, tuple[int, int]]:
    width, height = picture.size
    most = min(limits.max_pixels, PNG_PIXELS) if name != "JPEG" else limits.max_pixels
    if width * height > most:
        raise ImageTooLarge("pixels", width * height, most)
    if min(width, height) < limits.min_side:
        raise ImageTooSmall(width, height, limits.min_side)
    orientation = picture.getexif().get(0x0112, 1)
    if name == "JPEG":
        if data.count(b"\xff\xda") > JPEG_SCANS:
            raise TruncatedImage(name)
        # The largest reduction (1/2, 1/4, 1/8) that keeps the longer side at `long_side` or more.
        longest = max(width, height)
        picture.draft(None, (max(1, width * long_side // longest), max(1, height * long_side // longest)))
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        values = np.asarray(picture, np.float32)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        picture_rgb = Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8)).convert("RGB")
    elif picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        picture_rgb = Image.alpha_composite(white, layered).convert("RGB")
    else:
        picture_rgb = picture.convert("RGB")
    if orientation in (2, 3, 4, 5, 6, 7, 8):
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture_rgb.info["exif"] = exif.tobytes()
        picture_rgb = ImageOps.exif_transpose(picture_rgb)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return np.asarray(picture_rgb), (width, height)


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
    busy = np.abs(image.astype(np.int16) - corner).max(-1) > tolerance
    rows, columns = np.flatnonzero(busy.mean(1) > 0.002), np.flatnonzero(busy.mean(0) > 0.002)
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
