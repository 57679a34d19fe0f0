"""The reasons of an answer as a drawing: photo and picture side by side, the outline, the matches."""

from __future__ import annotations

import logging

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.describe.records import frame_size
from engine.errors import DamagedData
from engine.image import decode, decode_kept, resize_long_side
from engine.recognise.answer import Match
from engine.settings import ImageLimits
from engine.values import ColorImage, FloatArray, resize_matrix
from engine.verify.homography import project
from engine.verify.prints import DIFFERENT, GRID, HIDDEN, SAME

_log = logging.getLogger(__name__)

SIDE = 720
"""Longer side, in pixels, of the photo and of the picture as they are drawn."""
MOST_LINES = 120
_BAND = 66
_ANSWERED, _REFUSED, _LINE = (30, 200, 60), (230, 120, 20), (255, 210, 0)
"""RGB of the outline of an answer, of a candidate below its threshold, and of the matches."""
_TINTS = {SAME: ((40, 170, 60), 0.15), DIFFERENT: ((235, 30, 40), 0.5), HIDDEN: ((128, 128, 128), 0.5)}
"""RGB of the cells that show the same print, another one, and neither to be told, and how strong each is."""


def explained(photo: bytes, match: Match, kept: bytes | None, *, limits: ImageLimits) -> bytes:
    """PNG of `match`, which was found in `photo`. kept: the picture's JPEG; None: a plain field stands for it, as for
    a damaged one.
    Raises the ImageErrors."""
    decoded, size = decode(photo, long_side=SIDE, limits=limits)
    picture = _kept(kept, match)
    drawn = draw(decoded, size, match, picture)
    done, encoded = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    assert done
    return encoded.tobytes()


def draw(photo: ColorImage, photo_size: tuple[int, int], match: Match, picture: ColorImage) -> ColorImage:
    """photo: decoded at any scale, `photo_size` its full width and height; picture: the kept one, any scale."""
    left, right = resize_long_side(photo, SIDE), resize_long_side(picture, SIDE)
    if match.cells is not None:
        right = _tinted(right, match.cells)
    height = max(len(left), len(right))
    canvas = np.full((height + _BAND, left.shape[1] + right.shape[1] + 12, 3), 32, np.uint8)
    canvas[_BAND : _BAND + len(left), : left.shape[1]] = left
    canvas[_BAND : _BAND + len(right), -right.shape[1] :] = right
    to_left = _shift(0, _BAND) @ resize_matrix(photo_size, _size(left))
    to_right = _shift(canvas.shape[1] - right.shape[1], _BAND) @ resize_matrix(_frame(match), _size(right))
    for a, b in _pairs(match.points, to_left, to_right):
        cv2.line(canvas, a, b, _LINE, 1, cv2.LINE_AA)
        cv2.circle(canvas, a, 3, _LINE, 1, cv2.LINE_AA)
        cv2.circle(canvas, b, 3, _LINE, 1, cv2.LINE_AA)
    colour = _ANSWERED if match.accepted else _REFUSED
    quad = np.clip(np.rint(project(to_left, match.quad)), -(2**15), 2**15).astype(np.int32)
    cv2.polylines(canvas, [quad], True, colour, 3, cv2.LINE_AA)
    state = "accepted" if match.accepted else "below the threshold"
    title = f"{match.picture.identifier}  match ratio {match.match_ratio:.1f} ({state}), {match.inliers} inliers"
    for line, text in enumerate((title, match.because)):
        at = 10, 26 + 27 * line
        cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.62, (240, 240, 240), 1, cv2.LINE_AA)
    return canvas


def _tinted(picture: ColorImage, cells: FloatArray) -> ColorImage:
    """The picture with what the comparator says of each of its cells."""
    height, width = picture.shape[:2]
    side = max(height, width) / GRID
    drawn = picture.astype(np.float32)
    for (row, column), kind in np.ndenumerate(cells.argmax(0)):
        colour, strength = _TINTS[int(kind)]
        top, left, bottom, right = (round(side * at) for at in (row, column, row + 1, column + 1))
        part = drawn[top:bottom, left:right]
        part += np.float32(strength) * (np.array(colour, np.float32) - part)
    return np.asarray(np.rint(drawn), np.uint8)


def _pairs(
    points: FloatArray, to_left: NDArray[np.float64], to_right: NDArray[np.float64]
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Line ends on the canvas; of many matches an even sample, lest they hide both pictures."""
    if not len(points):
        return []
    shown = points[np.linspace(0, len(points) - 1, min(len(points), MOST_LINES)).astype(int)]
    a, b = (np.rint(project(H, shown[:, i])).astype(int).tolist() for i, H in enumerate((to_left, to_right)))
    return [((p[0], p[1]), (q[0], q[1])) for p, q in zip(a, b, strict=True)]


def _kept(jpeg: bytes | None, match: Match) -> ColorImage:
    if jpeg is None:
        return _plain(match)
    try:
        return decode_kept(jpeg, long_side=SIDE)
    except DamagedData as error:
        _log.error(
            "picture %s of channel %s is drawn plain: %s", match.picture.identifier, match.picture.channel, error
        )
        return _plain(match)


def _frame(match: Match) -> tuple[int, int]:
    """Width and height of the frame of the picture's keypoints."""
    return frame_size((match.picture.width, match.picture.height))


def _plain(match: Match) -> ColorImage:
    width, height = _frame(match)
    return np.full((height, width, 3), 96, np.uint8)


def _size(image: ColorImage) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)
