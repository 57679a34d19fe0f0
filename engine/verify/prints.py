"""Is it the same print? A small network compares picture and photo, cell by cell, once they are registered.

It was trained on simulated photos of prints and of their made sisters (`training/comparator`). Of each cell it says how
likely it shows the same print, another print, or nothing that would tell: a hand, glare, the end of the surface, too
little detail. Another illustration inside a shared frame, another word or another hue leaves cells behind that differ,
in a place that agreement surrounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.errors import ModelError
from engine.onnx_session import open_session
from engine.settings import DEFAULT_MODEL, DEFAULT_PROVIDERS
from engine.values import Array, FloatArray
from engine.verify.appearance import HIGH_CONTRAST, Seen
from engine.verify.reference import FRAME
from engine.verify.registered import CHANNELS, registered

CELL = 16
"""Pixels of the frame that a judgement is for, across and down."""
GRID = FRAME // CELL
SAME, DIFFERENT, HIDDEN = 0, 1, 2
"""Outputs of the network."""
NETWORK = "comparator.onnx"


class Comparator:
    """Registered frames to judgements. Safe for use by many threads."""

    def __init__(self, folder: Path = DEFAULT_MODEL, *, providers: tuple[str, ...] = DEFAULT_PROVIDERS) -> None:
        """folder: with comparator.onnx. Raises ModelError."""
        self._session = open_session(folder / NETWORK, threads=1, providers=providers)
        given = self._session.get_inputs()[0].shape[1:], self._session.get_outputs()[0].shape[1:]
        if given != ([CHANNELS, FRAME, FRAME], [3, GRID, GRID]):
            raise ModelError(f"{folder / NETWORK} is no comparator: it takes and gives {given}")

    def judge(self, seen: Seen) -> FloatArray:
        """(3, 16, 16) float32: of each cell, the probabilities of SAME, DIFFERENT and HIDDEN."""
        logits = self._session.run(None, {"frames": registered(seen)[None]})[0][0]
        odds = np.exp(logits - logits.max(0))
        return np.asarray(odds / odds.sum(0), np.float32)


@dataclass(frozen=True)
class Prints:
    """What the judgements come to; shares are of the picture's contrast. The fields' names stand in
    `calibration.json`. Chosen on the fit half of the evaluation sets (docs/decisions/0017)."""

    print_median: float
    """Median of the cells' log-odds of the same print against another, -6 to 6."""
    print_hidden: float
    """Share that cannot be told."""
    print_enclosed: float
    """Share that shows another print within the hull of the cells that show the same: another illustration in a shared
    frame is enclosed by agreement, a hand or the side of a carton is not."""
    print_contradicted: float
    """How surely one place differs where all else agrees; 0: no place does. A place alone says little of a photo that
    agrees nowhere plainly: what is blurred or bent differs here and there."""


UNTOLD = Prints(-6.0, 1.0, 1.0, 0.0)
"""Nothing could be compared: no better than another print."""
_PLAIN = 3.0
"""Weight of a cell without any contrast, in units of the lightness' standard deviation: a colour can differ there."""
_CLEAR = 6.0
"""Log-odds beyond which more evidence changes nothing."""
_AGREES = 3.0
"""Median log-odds from which on a picture counts as agreeing plainly."""
_PLACE = 3
"""Cells on a side of what counts as one place."""


def compare_prints(seen: Seen | None, judged: FloatArray | None) -> Prints:
    """judged: (3, 16, 16) of `Comparator.judge`; UNTOLD where there is nothing to compare."""
    if seen is None or judged is None:
        return UNTOLD
    weight = _contrast(seen)
    same, differs, hidden = of_picture(judged, seen)
    median = float(np.median(np.clip(np.log((same + 1e-4) / (differs + 1e-4)), -_CLEAR, _CLEAR)))
    inside = _hull(same > 0.5)
    return Prints(
        print_median=median,
        print_hidden=float((weight * hidden).sum() / weight.sum()),
        print_enclosed=float((weight * differs * inside).sum() / max((weight * inside).sum(), 1.0)),
        print_contradicted=max(0.0, _worst(differs, weight)) ** 2 * max(0.0, median - _AGREES),
    )


def of_picture(judged: FloatArray, seen: Seen) -> FloatArray:
    """(3, rows, columns): the judgements of the picture's whole cells, without what lies beyond its frame."""
    rows, columns = _grid(seen)
    return judged[:, :rows, :columns]


def _grid(seen: Seen) -> tuple[int, int]:
    height, width = seen.reference.lab.shape[:2]
    return min(GRID, height // CELL), min(GRID, width // CELL)


def _contrast(seen: Seen) -> FloatArray:
    """Of each whole cell of the picture, what it counts."""
    lightness = seen.reference.lab[..., 0]
    rows, columns = _grid(seen)
    cells = lightness[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    return np.asarray(_PLAIN + np.minimum(cells.std((1, 3)), HIGH_CONTRAST), np.float32)


def _hull(cells: Array) -> Array:
    """(H, W) bool: the convex hull of the cells."""
    points = np.argwhere(cells)[:, ::-1].astype(np.int32)
    hull = np.zeros(cells.shape, np.uint8)
    if len(points):
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return hull > 0


def _worst(differs: FloatArray, weight: FloatArray) -> float:
    """Log-odds, at most 6.9, of the place that most likely shows another print."""
    side = (_PLACE, _PLACE)
    sums = [
        cv2.boxFilter(values, -1, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
        for values in (differs * weight, weight)
    ]
    share = float((sums[0] / sums[1]).max())
    return float(np.log((share + 1e-3) / (1 - share + 1e-3)))
