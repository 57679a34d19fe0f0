"""A learned matcher that the user supplies: one ONNX file from two grey images to matched points.

Its layout is that of LightGlue's ONNX exports with the extractor inside: inputs image0 and image1, (1, 1, H, W)
float32 from 0 to 1; outputs kpts0 and kpts1, pixels (x, y) of each image, (1, N, 2) or (N, 2); matches0, (M, 2)
rows of kpts0 and of kpts1; mscores0, (M,), higher is surer. Sides of free length get multiples of 16 pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.compare.parts.feature_store import Arrays
from engine.errors import ModelError
from engine.image import to_gray
from engine.onnx_session import open_session
from engine.values import Array, ColorImage, FloatArray

LONG_SIDE = 512
"""Long side in pixels of the images that the file gets, where it leaves their size free."""
_INPUTS, _OUTPUTS = ("image0", "image1"), ("kpts0", "kpts1", "matches0", "mscores0")


class Matcher:
    """The file, and how images are prepared for it."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Raises ModelError where the file cannot be run or has other names."""
        self._session: Any = open_session(path, threads=threads, providers=("CPUExecutionProvider",))
        inputs = {i.name: i.shape for i in self._session.get_inputs()}
        outputs = {o.name for o in self._session.get_outputs()}
        if set(inputs) != set(_INPUTS) or not set(_OUTPUTS) <= outputs:
            raise ModelError(
                f"{path} has inputs {', '.join(inputs)} and outputs {', '.join(sorted(outputs))}; a matcher has "
                f"{', '.join(_INPUTS)} and {', '.join(_OUTPUTS)} (docs/methods.md)"
            )
        self._shape = inputs["image0"][2:]
        self.kind = f"gray-{LONG_SIDE}-{'x'.join(str(s) for s in self._shape if isinstance(s, int)) or 'free'}"

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays:  # noqa: ARG002  # both sides alike
        """The image as the file reads it: gray (H, W) uint8, and size, its width and height."""
        height, width = image.shape[:2]
        factor = LONG_SIDE / max(height, width)
        sides = [
            fixed if isinstance(fixed, int) else max(16, round(side * factor / 16) * 16)
            for fixed, side in zip(self._shape, (height, width), strict=True)
        ]
        gray = cv2.resize(to_gray(image), (sides[1], sides[0]), interpolation=cv2.INTER_AREA)
        return {"gray": gray, "size": np.array([sides[1], sides[0]], np.int32)}

    def match(self, picture: Arrays, photo: Arrays) -> tuple[FloatArray, FloatArray]:
        """(M, 2) picture points and (M, 2) photo points, surest first. Raises ModelError."""
        tensors = [a["gray"].astype(np.float32)[None, None] / 255 for a in (picture, photo)]
        try:
            found = self._session.run(list(_OUTPUTS), dict(zip(_INPUTS, tensors, strict=True)))
        except Exception as error:  # ONNX Runtime's errors share no parent but Exception
            raise ModelError(f"the matcher cannot be run: {error}") from error
        points = [np.asarray(f, np.float32).reshape(-1, 2) for f in found[:2]]
        rows, scores = np.asarray(found[2]).astype(np.int64).reshape(-1, 2), np.asarray(found[3]).ravel()
        if len(scores) != len(rows) or not _within(rows, points):
            raise ModelError(f"the matcher gives {len(rows)} matches with {len(scores)} scores, or rows that are none")
        rows = rows[np.argsort(-scores, kind="stable")]
        return points[0][rows[:, 0]], points[1][rows[:, 1]]


def _within(rows: Array, points: list[FloatArray]) -> bool:
    """Whether every match names points that there are."""
    return not len(rows) or bool((rows >= 0).all() and (rows.max(0) < [len(p) for p in points]).all())
