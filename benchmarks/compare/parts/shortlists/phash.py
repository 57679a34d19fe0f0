"""pHash: signs of the lowest 8 x 8 DCT coefficients of a 32 x 32 grey image, by the package imagehash."""

from __future__ import annotations

import numpy as np
from imagehash import phash
from PIL import Image

from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.shortlists.hashes import HammingIndex
from engine.values import ColorImage


class PHash(HammingIndex):
    """64 bits of each picture; every picture is compared."""

    kind = "phash-64"

    def __init__(self) -> None:
        super().__init__(8)

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays:  # noqa: ARG002  # both sides alike
        return {"bits": np.packbits(phash(Image.fromarray(image)).hash.ravel())}
