"""Is it the same print? A small network compares picture and photo, cell by cell, once they are registered.

It was trained on simulated photos of prints and of their made sisters (`training/comparator`). Of each cell it says how
likely it shows the same print, another print, or nothing that would tell: a hand, glare, the end of the surface, too
little detail. What an illustration inside a shared frame, one other word or another hue leave behind is a connected
group of cells that differ.
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
    `calibration.json`."""

    print_same: float
    """Of what can be seen, the share that shows the same print."""
    print_hidden: float
    """Share that cannot be told."""
    print_differs: float
    """Logarithm of the share that shows another print."""
    print_region: float
    """Logarithm of the share in the largest connected region of cells that show another print."""
    print_enclosed: float
    """The same share within the hull of the cells that show the same print: another illustration in a shared frame is
    enclosed by agreement, a hand or the side of a carton is not."""
    print_worst: float
    """Highest probability of another print in any window of 3 x 3 cells, as log-odds."""
    print_odds: float
    """Mean log-odds of the same print, within -6 to 6."""


UNTOLD = Prints(0.0, 1.0, -5.0, -5.0, -5.0, 0.0, 0.0)
_LEAST = 0.004
"""Share that counts as none: one cell of 256."""
_PLAIN = 3.0
"""Weight of a cell without any contrast, in units of the lightness' standard deviation: a colour can differ there."""
_CLEAR = 6.0
"""Log-odds beyond which more evidence changes nothing."""


def compare_prints(seen: Seen | None, judged: FloatArray | None) -> Prints:
    """judged: (3, 16, 16) of `Comparator.judge`; UNTOLD where there is nothing to compare."""
    if seen is None or judged is None:
        return UNTOLD
    weight = _contrast(seen)
    rows, columns = weight.shape
    same, differs, hidden = judged[:, :rows, :columns]
    total = float(weight.sum())
    told = float((weight * (same + differs)).sum())
    odds = np.clip(np.log((same + 1e-4) / (differs + 1e-4)), -_CLEAR, _CLEAR)
    inside = _hull(same > 0.5)
    return Prints(
        print_same=float((weight * same).sum()) / max(told, 1e-3),
        print_hidden=float((weight * hidden).sum()) / total,
        print_differs=float(np.log(_LEAST + (weight * differs).sum() / total)),
        print_region=float(np.log(_LEAST + _largest(differs > 0.5, weight) / total)),
        print_enclosed=float(np.log(_LEAST + (weight * differs * inside).sum() / max((weight * inside).sum(), 1.0))),
        print_worst=_worst(differs, weight),
        print_odds=float((weight * odds).sum()) / total,
    )


def _contrast(seen: Seen) -> FloatArray:
    """Of each whole cell of the picture, what it counts."""
    lightness = seen.reference.lab[..., 0]
    rows, columns = min(GRID, lightness.shape[0] // CELL), min(GRID, lightness.shape[1] // CELL)
    cells = lightness[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    return np.asarray(_PLAIN + np.minimum(cells.std((1, 3)), HIGH_CONTRAST), np.float32)


def _largest(cells: Array, weight: FloatArray) -> float:
    """Weight of the heaviest group of cells that share sides or corners."""
    _, labels = cv2.connectedComponents(cells.astype(np.uint8), connectivity=8)
    return float(np.bincount(labels.ravel(), weights=(weight * cells).ravel())[1:].max(initial=0))


def _hull(cells: Array) -> Array:
    """(H, W) bool: the convex hull of the cells."""
    points = np.argwhere(cells)[:, ::-1].astype(np.int32)
    hull = np.zeros(cells.shape, np.uint8)
    if len(points):
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return hull > 0


def _worst(differs: FloatArray, weight: FloatArray) -> float:
    """Log-odds of the window of 3 x 3 cells that most likely shows another print."""
    sums = [cv2.boxFilter(values, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT) for values in (differs * weight, weight)]
    share = float((sums[0] / sums[1]).max())
    return float(np.log((share + 1e-3) / (1 - share + 1e-3)))
