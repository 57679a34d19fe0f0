"""Small JPEGs for the report: pictures, photos, and both side by side with the matches between them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks.compare.files import Geometry
from engine.errors import ImageError
from engine.image import decode, resize_long_side
from engine.image_files import LIMITS
from engine.values import ColorImage

SIDE = 240
"""Long side of a thumbnail in pixels."""
_GAP = 8
"""Pixels between picture and photo."""
_LINE, _OUTLINE = (255, 210, 0), (0, 158, 115)
"""Colours of the matches and of the picture's outline, RGB."""


def thumbnail(path: Path, *, side: int = SIDE) -> tuple[ColorImage, float]:
    """RGB, at most `side` pixels long, and its scale: its pixels over the upright file's. Raises OSError, ImageError
    where the file cannot be read as a picture."""
    image, (width, _) = decode(path.read_bytes(), long_side=side, limits=LIMITS)
    image = resize_long_side(image, min(side, max(image.shape[:2])))
    return image, image.shape[1] / width


def drawn_matches(picture: Path, photo: Path, geometry: Geometry) -> ColorImage:
    """Picture left, photo right, lines between their inliers, the picture's outline in the photo. Raises OSError,
    ImageError."""
    (left, left_scale), (right, right_scale) = thumbnail(picture), thumbnail(photo)
    offset = left.shape[1] + _GAP
    canvas = np.full((max(len(left), len(right)), offset + right.shape[1], 3), 255, np.uint8)
    canvas[: len(left), : left.shape[1]] = left
    canvas[: len(right), offset:] = right
    for x, y, u, v in geometry.inliers:
        a, b = _pixel(x * left_scale, y * left_scale), _pixel(u * right_scale + offset, v * right_scale)
        cv2.line(canvas, a, b, _LINE, 1, cv2.LINE_AA)
    height, width = (length / left_scale for length in left.shape[:2])
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]])
    seen = corners @ np.array(geometry.H_picture_to_photo).reshape(3, 3).T
    if (seen[:, 2] > 1e-9).all() or (seen[:, 2] < -1e-9).all():  # else a corner is behind the camera
        outline = seen[:, :2] / seen[:, 2:] * right_scale + (offset, 0)
        cv2.polylines(canvas, [np.array([_pixel(x, y) for x, y in outline])], True, _OUTLINE, 2, cv2.LINE_AA)
    return canvas


def jpeg(image: ColorImage) -> bytes:
    """The bytes of an RGB image's JPEG file."""
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 75])
    assert done
    return encoded.tobytes()


def reason(error: OSError | ImageError) -> str:
    """Why a picture is not shown, for people."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _pixel(x: float, y: float) -> tuple[int, int]:
    """The nearest pixel that OpenCV can draw to: it takes whole numbers of 16 bits for the ends of a line."""
    limit = 30_000.0
    return round(min(max(x, -limit), limit)), round(min(max(y, -limit), limit))
