"""Shortlists: each file holds one way to find candidates; this table names them all."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol, cast

from benchmarks.compare.parts.feature_store import Arrays
from engine.errors import ResearchError
from engine.values import Array, ColorImage, FloatArray


class Shortlist(Protocol):
    """One way to find candidates. Pictures are numbered in the order in which `build` gets them."""

    kind: str
    """Name of what `describe` gives. Features are kept on disk under it and the file's SHA-256, so change it when
    `describe` changes; lists with the same kind share them."""

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays:
        """What is kept of an image, RGB (H, W, 3) uint8 with a long side of about 640."""

    def build(self, pictures: Sequence[Arrays]) -> None:
        """Makes the index of all pictures; called again, it makes another."""

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        """Numbers of the best `k` pictures and their scores, higher is better, best first."""

    def bytes_per_picture(self) -> float:
        """Bytes of the index for each picture, as few as the method allows."""


SHORTLISTS = {
    "phash": "benchmarks.compare.parts.shortlists.phash:PHash",
    "pdq": "benchmarks.compare.parts.shortlists.pdq:Pdq",
    "hog": "benchmarks.compare.parts.shortlists.hog:Hog",
    "orb_words": "benchmarks.compare.parts.shortlists.orb_words:OrbWords",
    "orb_vlad": "benchmarks.compare.parts.shortlists.orb_vlad:OrbVlad",
    "everything": "benchmarks.compare.parts.shortlists.everything:Everything",
}
"""Name to MODULE:CLASS, imported when used. `votes` and `global` come from the engine's own gallery
(benchmarks/compare/parts/engine_lists.py), onnx:PATH from full_image.py."""
ENGINE_LISTS = ("votes", "global")
"""The engine's own two lists."""


def make_shortlist(name: str) -> Shortlist:
    """The list of that name in SHORTLISTS, or of onnx:PATH. Raises ResearchError for another name, ModelError for a
    file that is no model."""
    if name.startswith("onnx:"):
        from benchmarks.compare.parts.shortlists.full_image import FullImage

        return FullImage(name.removeprefix("onnx:"))
    if name not in SHORTLISTS:
        raise ResearchError(f"no shortlist {name!r}; there are {', '.join((*SHORTLISTS, *ENGINE_LISTS))}, onnx:PATH")
    module, attribute = SHORTLISTS[name].split(":")
    return cast(Shortlist, getattr(importlib.import_module(module), attribute)())
