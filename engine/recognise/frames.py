"""Frames of one client: a camera that is held still sends nearly the same miss again and again."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.values import FloatArray

SECONDS = 1.0
"""How long a missed frame stands for those that resemble it. A client that sends a frame a second, or single photos,
loses nothing by it (docs/decisions/0015)."""
ALIKE = 0.6
"""Similarity of two frames' global descriptors from which on they show the same. Of frames moved by up to 6 % of their
sides, turned by 3 degrees and zoomed by 5 %, 99 in a hundred have .63 or more; of pairs of photos of different things
one in a thousand has .59."""


class Frames:
    """The last frame of a client at which a second look was spent in vain: its global descriptor, never the photo. Safe
    for use by many threads."""

    def __init__(self, seconds: float = SECONDS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._missed: tuple[float, FloatArray] | None = None

    def missed(self, frame: FloatArray) -> None:
        """frame: (G,) float32, the global descriptor on the unit sphere."""
        self._missed = self._clock(), frame

    def resembles(self, frame: FloatArray) -> bool:
        """Whether such a frame was missed a moment ago. What is not looked at again does not make that moment longer: a
        camera that moves on, or waits, is looked at closely again."""
        missed = self._missed
        if missed is None:
            return False
        at, before = missed
        return self._clock() - at < self._seconds and len(before) == len(frame) and float(before @ frame) >= ALIKE
