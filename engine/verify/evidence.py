"""Verification of the best candidates: matches, homography, outline, appearance; the figures that speak for each."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.describe.records import unpack
from engine.threads import run_both
from engine.values import Array, ByteArray, ColorImage, FloatArray
from engine.verify.appearance import Seen, compare, see
from engine.verify.content import compare_content
from engine.verify.homography import quad_is_sane
from engine.verify.legibility import legibility
from engine.verify.matching import Alignment, match
from engine.verify.prints import Comparator, compare_prints
from engine.verify.reference import Reference

FEWEST_INLIERS = 6
"""A homography has 8 degrees of freedom: 4 matches always fit, 6 begin to say something."""
INLIERS_BEYOND_DOUBT = 30
"""Inliers of a candidate that ends the verification, where the next candidate's ranking score is below FAR_BEHIND of
its own. Both were chosen by judgement."""
FAR_BEHIND = 0.25


@dataclass(frozen=True)
class Candidate:
    """A picture to verify."""

    picture_id: int
    rank_score: float
    """Score of the ranking by geometry."""
    rows: Array
    """(n, 2) uint64 keypoints, as `engine.describe.records` lays them out."""
    size: tuple[int, int]
    """Width and height of the picture in its 480-pixel frame."""
    orb: ByteArray | None = None
    """(n, 32) uint8 for the verifier "orb"."""


@dataclass(frozen=True)
class Evidence:
    """A candidate with a sane outline, and all that speaks for it."""

    candidate: Candidate
    alignment: Alignment
    figures: dict[str, float]
    """What the calibration reads; those of structure, colour and content where `add_appearance` has added them."""
    reference: Reference | None = None
    """The kept picture, where there is one and it was compared."""
    seen: Seen | None = None
    """What the photo shows of it, where that is enough to be compared."""
    judged: FloatArray | None = None
    """What the comparator says of each cell (`Comparator.judge`), where it was asked."""

    @property
    def H_kept_to_photo(self) -> NDArray[np.float64]:
        """3x3, from pixels of the kept picture to those of the working photo."""
        H = self.alignment.H_picture_to_photo
        if self.reference is None:
            return H
        # Half a pixel of the larger frame is left out (see `values.resize_matrix`): the fit has seen it so.
        to_frame = self.candidate.size[0] / self.reference.picture.shape[1]
        return H @ np.diag([to_frame, to_frame, 1.0])


def verify(query: Query, candidate: Candidate) -> Evidence | None:
    """None where the matches support no outline that a camera can see."""
    alignment = match(query, candidate.rows, candidate.orb)
    if alignment is None or len(alignment.photo_rows) < FEWEST_INLIERS:
        return None
    if not quad_is_sane(alignment.H_picture_to_photo, candidate.size, query.features.size):
        return None
    return Evidence(candidate, alignment, geometry_figures(candidate, alignment))


def geometry_figures(candidate: Candidate, alignment: Alignment) -> dict[str, float]:
    """The figures that need no kept picture, by the names of `calibration.GEOMETRY_FIGURES`."""
    inliers = len(alignment.picture_rows)
    xy = unpack(candidate.rows)[0][alignment.picture_rows]
    hull = cv2.contourArea(cv2.convexHull(xy)) / (candidate.size[0] * candidate.size[1])
    return {
        "inliers": float(np.log(inliers)),
        "share": inliers / max(alignment.expected, inliers, 1),
        "similarity": alignment.similarity,
        "spread": float(np.sqrt(hull)),
        "rank_score": float(np.log1p(candidate.rank_score)),
        "ratio_kept": alignment.ratio_inliers / max(alignment.matches, 1),
    }


def verify_all(query: Query, candidates: Sequence[Candidate], *, pool: Executor | None = None) -> list[Evidence]:
    """Those of the candidates (best first) that verify, most inliers first. Ends early once one is beyond
    doubt and the next are far behind it."""
    found: list[Evidence] = []
    _ = query.centred  # computed here, before two threads read it
    step = 1 if pool is None else 2
    for start in range(0, len(candidates), step):
        chunk = candidates[start : start + step]
        if len(chunk) == 1:
            results: Sequence[Evidence | None] = [verify(query, chunk[0])]
        else:
            results = run_both(pool, partial(verify, query, chunk[0]), partial(verify, query, chunk[1]))
        found += [one for one in results if one is not None]
        if start + step >= 2 and _beyond_doubt(found, candidates[start + step :]):
            break
    return sorted(found, key=lambda one: -len(one.alignment.picture_rows))


def _beyond_doubt(found: list[Evidence], rest: Sequence[Candidate]) -> bool:
    best = max(found, key=lambda one: len(one.alignment.picture_rows), default=None)
    if best is None or len(best.alignment.picture_rows) < INLIERS_BEYOND_DOUBT:
        return False
    return not rest or rest[0].rank_score < FAR_BEHIND * best.candidate.rank_score


def add_appearance(
    evidence: Evidence,
    reference: Reference | None,
    *,
    photo: ColorImage,
    model: PatchModel,
    comparator: Comparator,
) -> Evidence:
    """With the figures of structure, colour, content and print, and of how well they can be seen, where the picture was
    kept. photo: the working image."""
    if reference is None:
        return evidence
    compared = replace(evidence, reference=reference)
    H = compared.H_kept_to_photo
    seen = see(reference, photo, H)
    figures = dict(evidence.figures)
    judged = None if seen is None else comparator.judge(seen)
    for part in (compare(seen), legibility(seen, H), compare_content(seen, model), compare_prints(seen, judged)):
        figures |= vars(part)
    return replace(compared, figures=figures, seen=seen, judged=judged)
