"""A method's predictions beside the truth: one Judged, from which every figure is computed.

Pictures that are visible too (also_visible.csv) are removed from the lists before anything is counted, like the
"junk" of the Oxford buildings (Philbin et al. 2007): they take no place and are neither right nor wrong.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.compare.files import Geometry, Listed, Prediction
from benchmarks.compare.score.metrics import Bools, Floats, Ints, corner_error, rank_of_right
from benchmarks.sets import EvaluationSet, side_of
from engine.errors import ResearchError


@dataclass(frozen=True, kw_only=True)
class Judged:
    """`N` photos of one method, in order, and the `P` photo-picture pairs that it listed, scores falling."""

    method: str
    """The method's name."""
    answers: bool
    """Whether the method gives answers at all."""
    probability: bool
    """Whether its score is a percentage: how sure it is that the picture is right."""
    photos: tuple[tuple[str, str], ...]
    """Set and query of each photo."""
    objects: tuple[str, ...]
    """What each photo shows: the unit that is resampled."""
    fit: Bools
    """(N,) Whether the photo is of the half on which thresholds are fitted."""
    positive: Bools
    """(N,) Whether it shows a picture of the gallery."""
    hard: Bools
    """(N,) Whether it shows none, but looks like one or shares printed parts with it."""
    listed_rank: Floats
    """(N,) Rank of the best right picture in the shortlist: inf where it has none, NaN where the method wrote none."""
    final_rank: Floats
    """(N,) Rank of the best right picture in the final ranking, inf where it has none."""
    first_score: Floats
    """(N,) Score of the ranking's first picture, -inf where there is none."""
    first_ref: tuple[str, ...]
    """That picture's reference, empty where there is none."""
    first_right: Bools
    """(N,) Whether it is right; one that shares its score with a wrong one is not."""
    accepted_right: Bools
    """(N,) Whether the answer is right."""
    accepted_wrong: Bools
    """(N,) Whether it is wrong; an answer that is visible too is neither."""
    corner_pixels: Floats
    """(N,) Error of the homography: NaN where no truth is known, inf where it is and the method gave none."""
    ms: Floats
    """(N,) Milliseconds, NaN where they are not known."""
    missing: Bools
    """(N,) Whether the method has no row for the photo."""
    rights: Ints
    """(N,) Right pictures of the gallery, listed or not."""
    wrongs: Ints
    """(N,) Wrong pictures of the gallery, listed or not."""
    pair_photo: Ints
    """(P,) Each pair's photo, by its place in `photos`."""
    pair_score: Floats
    """(P,) Each pair's score."""
    pair_right: Bools
    """(P,) Whether the pair's picture is right."""

    def __len__(self) -> int:
        return len(self.photos)

    def only(self, photos: frozenset[tuple[str, str]]) -> Judged:
        """The same method on these photos alone, in their present order."""
        keep = np.array([p in photos for p in self.photos], bool)
        if keep.all():
            return self
        place = np.cumsum(keep) - 1
        pairs = keep[self.pair_photo]
        changes: dict[str, object] = {}
        for name, value in _arrays(self).items():
            changes[name] = value[pairs] if name.startswith("pair_") else value[keep]
        changes["pair_photo"] = place[self.pair_photo[pairs]]
        for name in ("photos", "objects", "first_ref"):
            changes[name] = tuple(v for v, k in zip(getattr(self, name), keep, strict=True) if k)
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


def pooled(parts: Sequence[Judged]) -> Judged:
    """One method's photos of several sets together; at least one part."""
    changes: dict[str, object] = {}
    for name in _arrays(parts[0]):
        changes[name] = np.concatenate([getattr(p, name) for p in parts])
    starts = np.cumsum([0, *(len(p) for p in parts)])
    changes["pair_photo"] = np.concatenate([p.pair_photo + s for p, s in zip(parts, starts, strict=False)])
    for name in ("photos", "objects", "first_ref"):
        changes[name] = tuple(value for p in parts for value in getattr(p, name))
    return _sorted(dataclasses.replace(parts[0], **changes))  # type: ignore[arg-type]


def _sorted(judged: Judged) -> Judged:
    order = np.argsort(-judged.pair_score, kind="stable")
    changes = {name: getattr(judged, name)[order] for name in ("pair_photo", "pair_score", "pair_right")}
    return dataclasses.replace(judged, **changes)


def _arrays(judged: Judged) -> dict[str, Floats]:
    fields = {f.name: getattr(judged, f.name) for f in dataclasses.fields(judged)}
    return {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A set and what is known of its photos."""

    evaluation: EvaluationSet
    """The set, under the name that the run has for it."""
    photos: tuple[str, ...]
    """The queries that could be read, in order."""
    gallery: int
    """Pictures of the whole gallery."""
    homographies: Mapping[tuple[str, str], tuple[Floats, tuple[int, int]]]
    """Query and reference to H_picture_to_photo, (3, 3), and the picture's width and height."""


def judge(
    truth: Truth,
    method: str,
    predictions: Mapping[str, Sequence[Prediction]],
    shortlist: Mapping[str, Sequence[Listed]] | None,
    geometry: Mapping[str, Geometry] | None,
    *,
    photos: Sequence[str],
    answers: bool,
    probability: bool,
) -> Judged:
    """What one method made of these photos of a set. predictions, shortlist: rows by query; shortlist and geometry are
    None where the method wrote none at all. Raises ResearchError where a photo's rows contradict each other."""
    rows: list[dict[str, object]] = []
    pair_photo: list[int] = []
    pair_score: list[float] = []
    pair_right: list[bool] = []
    first_ref: list[str] = []
    for position, query in enumerate(photos):
        right, visible = _known(truth.evaluation, query)
        ranked = _checked(method, query, predictions.get(query, ()))
        counted = [row for row in ranked if row.ref not in visible]
        best = _rank(ranked, right, visible)
        first = counted[0] if counted else None
        answer = next((row for row in ranked if row.accepted), None)
        hit = answer is not None and answer.ref in right and best == 1
        listed = None if shortlist is None else [r for r in shortlist.get(query, ()) if r.rank]
        rows.append({
            "fit": side_of(query, right) == "fit",
            "positive": bool(right),
            "hard": query in truth.evaluation.hard and not right,
            "listed_rank": np.nan if listed is None else _rank(listed, right, visible),
            "final_rank": best,
            "first_score": first.score if first else -np.inf,
            "first_right": best == 1,
            "accepted_right": hit,
            "accepted_wrong": answer is not None and answer.ref not in visible and not hit,
            "corner_pixels": _corners(truth, query, geometry),
            "ms": predictions[query][0].ms if query in predictions else np.nan,
            "missing": query not in predictions,
            "rights": len(right),
            "wrongs": max(truth.gallery - len(right | visible), 0),
        })  # fmt: skip
        first_ref.append(first.ref if first else "")
        pair_photo += [position] * len(counted)
        pair_score += [row.score for row in counted]
        pair_right += [row.ref in right for row in counted]
    name = truth.evaluation.name
    return _sorted(
        Judged(
            method=method,
            answers=answers,
            probability=probability,
            photos=tuple((name, query) for query in photos),
            objects=tuple(f"{name}/{min(_known(truth.evaluation, q)[0], default=q)}" for q in photos),
            first_ref=tuple(first_ref),
            pair_photo=np.array(pair_photo, np.int64),
            pair_score=np.array(pair_score, np.float64),
            pair_right=np.array(pair_right, bool),
            **{key: np.array([row[key] for row in rows], kind) for key, kind in _COLUMNS.items()},
        )
    )


_COLUMNS = {
    **dict.fromkeys(("fit", "positive", "hard", "first_right", "accepted_right", "accepted_wrong", "missing"), bool),
    **dict.fromkeys(("listed_rank", "final_rank", "first_score", "corner_pixels", "ms"), np.float64),
    **dict.fromkeys(("rights", "wrongs"), np.int64),
}
"""Arrays of a Judged that have one entry for each photo, with their types."""


def _known(evaluation: EvaluationSet, query: str) -> tuple[frozenset[str], frozenset[str]]:
    """Right references, and those that are visible too."""
    right = evaluation.truth[query]
    return right, evaluation.also_visible.get(query, frozenset()) - right


def _checked(method: str, query: str, rows: Sequence[Prediction]) -> list[Prediction]:
    """The rows that name a picture, by rank. Raises ResearchError where they contradict each other."""
    ranked = sorted((row for row in rows if row.rank), key=lambda row: row.rank)
    where = f"predictions of {method} for {query!r}"
    if len({row.rank for row in ranked}) < len(ranked) or len({row.ref for row in ranked}) < len(ranked):
        raise ResearchError(f"{where}: a rank or a picture stands twice")
    if any(b.score > a.score for a, b in itertools.pairwise(ranked)):
        raise ResearchError(f"{where}: the score rises down the list; higher must be surer")
    if any(row.accepted and row.rank != 1 for row in rows):
        raise ResearchError(f"{where}: only the row of rank 1 can be accepted")
    return ranked


def _rank(rows: Sequence[Prediction] | Sequence[Listed], right: frozenset[str], visible: frozenset[str]) -> float:
    """Rank of the best right picture, inf where there is none."""
    if not right:
        return np.inf
    ranks = np.array([row.rank for row in rows], np.int64)
    scores = np.array([row.score for row in rows], np.float64)
    hits, neutral = (np.array([row.ref in names for row in rows], bool) for names in (right, visible))
    return rank_of_right(ranks, scores, hits, neutral)


def _corners(truth: Truth, query: str, geometry: Mapping[str, Geometry] | None) -> float:
    """Error of the method's homography in pixels: inf where it has none or one of a wrong picture; NaN where no truth
    is known, and where the method found another right picture than those whose homography is known."""
    known = {ref: pair for (q, ref), pair in truth.homographies.items() if q == query}
    if geometry is None or not known:
        return np.nan
    found = geometry.get(query)
    if found is None:
        return np.inf
    if found.ref not in known:
        return np.nan if found.ref in truth.evaluation.truth[query] else np.inf
    H, size = known[found.ref]
    return corner_error(np.array(found.H_picture_to_photo).reshape(3, 3), H, size)
