"""PDQ: 256 bits of a 16 x 16 DCT, Meta's hash for matching copies of pictures, by the package pdqhash."""

from __future__ import annotations

import numpy as np
import pdqhash

from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.shortlists.hashes import HammingIndex
from engine.values import ColorImage


class Pdq(HammingIndex):
    """256 bits of each picture; every picture is compared."""

    kind = "pdq-256"

    def __init__(self) -> None:
        super().__init__(32)

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays:  # noqa: ARG002  # both sides alike
        bits, _ = pdqhash.compute(np.ascontiguousarray(image))
        return {"bits": np.packbits(bits.astype(np.uint8))}
