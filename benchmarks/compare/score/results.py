"""SCORE: from predictions and truth to results.json, without running a method."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.compare.files import (
    GEOMETRY,
    PREDICTIONS,
    RESULTS,
    RUN,
    SHORTLIST,
    STRESS,
    TIMINGS,
    Geometry,
    Listed,
    Prediction,
    Stressed,
    Timing,
    read_geometry,
    read_rows,
)
from benchmarks.compare.score import metrics
from benchmarks.compare.score.figures import FIGURES, Figure, error_threshold, errors_at_equal_error, reliability_of
from benchmarks.compare.score.homographies import picture_size, read_homographies
from benchmarks.compare.score.judging import Judged, Truth, judge, pooled
from benchmarks.compare.score.metrics import Floats
from benchmarks.sets import read_set
from engine.errors import ResearchError

BASELINE = "obverse"
DEPTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1500)
MOST_POINTS = 200
"""Of a curve in results.json."""
MOST_FAILURES = 24
"""Of a method, and fewer where there are many methods: the report holds their pictures."""
_Named = TypeVar("_Named", Prediction, Listed, Timing, Geometry)
Grouped = Mapping[str, Mapping[str, Mapping[str, Sequence[_Named]]]]
"""Method to set to query to rows, in the file's order."""


def score(out: Path, extra: Sequence[Path] = ()) -> dict[str, Any]:
    """Reads the run folder and further prediction files, writes results.json and gives its content. Raises
    ValueError where a file is malformed or contradicts the sets, FileNotFoundError where one is missing."""
    run = read_run(out)
    judged = judge_all(out, run, extra)
    facts = {m["name"]: m for m in run["methods"]}
    timings = grouped(_optional(out / TIMINGS, Timing))
    resamples = Resamples()
    methods = [
        {
            **facts.get(name, {"name": name, "about": "predictions of others"}),
            "sets": {k: _described(j, resamples, timings) for k, j in sets.items()},
            "all": _described(pooled(list(sets.values())), resamples, timings),
            "curves": _curves(pooled(list(sets.values()))),
            "failures": failures(pooled(list(sets.values())), most=min(MOST_FAILURES, max(4, 400 // len(judged)))),
        }
        for name, sets in judged.items()
    ]
    compared = _compared(judged, resamples)
    content = {
        **{key: value for key, value in run.items() if key != "methods"},
        "bootstrap": {"resamples": metrics.RESAMPLES, "seed": metrics.SEED, "level": 0.95},
        "predictions": [PREDICTIONS, *(path.name for path in extra)],
        "baseline": BASELINE if BASELINE in judged else None,
        "methods": methods,
        "pairs": compared["pairs"],
        "losses": compared["losses"] + _costs(run["methods"]) + _stressed(out),
    }
    text = json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False)
    draft = out / f"{RESULTS}.tmp"
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(out / RESULTS)
    read: dict[str, Any] = json.loads(text)
    return read


def read_run(out: Path) -> dict[str, Any]:
    """run.json. Raises FileNotFoundError, or ValueError where it lacks what a score needs."""
    path = out / RUN
    if not path.is_file():
        raise FileNotFoundError(f"{out} holds no {RUN}; `obverse compare SET --out {out}` makes one")
    try:
        run = json.loads(path.read_text("utf-8"))
        for one in run["sets"]:
            _ = one["name"], one["folder"]
        for method in run["methods"]:
            _ = method["name"]
        run["gallery"] = int(run["gallery"])
        run.setdefault("refused", {})
    except (ValueError, KeyError, TypeError) as error:
        raise ResearchError(f"{path}: not a run: {error!r}") from error
    return run  # type: ignore[no-any-return]


def judge_all(out: Path, run: dict[str, Any], extra: Sequence[Path] = ()) -> dict[str, dict[str, Judged]]:
    """Method to set to Judged. A method of the run that was sampled is judged on its photos; every other one on
    all photos of the sets it has rows for, those without rows as misses."""
    truths = {one["name"]: _truth(one, run) for one in run["sets"]}
    facts = {m["name"]: m for m in run["methods"]}
    predictions = grouped(_predictions(out, extra))
    shortlist = grouped(_optional(out / SHORTLIST, Listed))
    lines = read_geometry(out / GEOMETRY) if (out / GEOMETRY).exists() else []
    geometry = grouped(lines)
    _check_names(predictions, truths)
    result: dict[str, dict[str, Judged]] = {}
    for name in [n for n in facts if n in predictions] + [n for n in predictions if n not in facts]:
        fact = facts.get(name, {})
        of_sets = predictions[name]
        accepts = any(r.accepted for queries in of_sets.values() for rows in queries.values() for r in rows)
        found: dict[str, Judged] = {}
        for set_name, truth in truths.items():
            if set_name not in of_sets:
                continue
            asked = [q for q in truth.photos if fact.get("sample") is None or q in of_sets[set_name]]
            places = geometry.get(name)
            found[set_name] = judge(
                truth,
                name,
                of_sets[set_name],
                shortlist[name].get(set_name, {}) if name in shortlist else None,
                None if places is None else {q: lines[0] for q, lines in places.get(set_name, {}).items()},
                photos=asked,
                answers=accepts or fact.get("threshold") is not None,
                probability=name == BASELINE,
            )
        result[name] = found
    return result


def grouped(rows: Iterable[_Named]) -> Grouped[_Named]:
    found: dict[str, dict[str, dict[str, list[_Named]]]] = {}
    for row in rows:
        found.setdefault(row.method, {}).setdefault(row.set, {}).setdefault(row.query, []).append(row)
    return found


class Resamples:
    """Figures of resampled photos, each computed once: the draws depend on the photos' objects alone, so that two
    methods on the same photos are drawn alike and their differences are paired."""

    def __init__(self) -> None:
        self._weights: dict[tuple[str, ...], metrics.Ints] = {}
        self._values: dict[tuple[str, tuple[tuple[str, str], ...], str], Floats] = {}

    def values(self, judged: Judged, figure: Figure) -> Floats:
        """(R,)"""
        key = judged.method, judged.photos, figure.key
        if key not in self._values:
            if judged.objects not in self._weights:
                self._weights[judged.objects] = metrics.resampled(judged.objects)
            weights = self._weights[judged.objects]
            self._values[key] = np.array([figure.statistic(judged, w) for w in weights])
        return self._values[key]


def _predictions(out: Path, extra: Sequence[Path]) -> list[Prediction]:
    rows = read_rows(out / PREDICTIONS, Prediction)
    for path in extra:
        more = read_rows(path, Prediction)
        taken = {r.method for r in rows} & {r.method for r in more}
        if taken:
            raise ResearchError(f"{path}: method {min(taken)!r} is there already; give yours another name")
        rows += more
    return rows


def _optional(path: Path, kind: type[Any]) -> list[Any]:
    return read_rows(path, kind) if path.exists() else []


def _truth(one: Mapping[str, Any], run: Mapping[str, Any]) -> Truth:
    folder = Path(one["folder"])
    evaluation = read_set(folder)
    if evaluation.name != one["name"]:
        evaluation = type(evaluation)(one["name"], folder, evaluation.truth, evaluation.hard, evaluation.also_visible)
    refused = {Path(path).resolve() for path in run["refused"]}
    readable = tuple(q for q in sorted(evaluation.truth) if (folder / "queries" / q).resolve() not in refused)
    known = {}
    for (query, ref), H in read_homographies(folder).items():
        known[query, ref] = H, picture_size(folder / "refs" / ref)
    return Truth(evaluation=evaluation, photos=readable, gallery=run["gallery"], homographies=known)


def _check_names(predictions: Grouped[Prediction], truths: Mapping[str, Truth]) -> None:
    for method, sets in predictions.items():
        for name, queries in sets.items():
            if name not in truths:
                raise ResearchError(
                    f"method {method!r} names the set {name!r}, which the run has not: {', '.join(truths)}"
                )
            unknown = next((q for q in queries if q not in truths[name].evaluation.truth), None)
            if unknown is not None:
                raise ResearchError(f"method {method!r} names the photo {unknown!r}, which is not in {name}/truth.csv")


def _described(judged: Judged, resamples: Resamples, timings: Grouped[Timing]) -> dict[str, Any]:
    """Figures of one method on one set, or on all."""
    negative = ~judged.positive
    wrong = judged.accepted_wrong
    stages: dict[str, list[float]] = {}
    for set_name, query in judged.photos:
        for row in timings.get(judged.method, {}).get(set_name, {}).get(query, ()):
            stages.setdefault(row.stage, []).append(row.ms)
    counts = {
        "right": judged.accepted_right,
        "wrong": wrong & judged.positive,
        "false_accepts_easy": wrong & negative & ~judged.hard,
        "false_accepts_hard": wrong & negative & judged.hard,
    }
    return {
        "photos": len(judged),
        "positives": int(judged.positive.sum()),
        "negatives_easy": int((negative & ~judged.hard).sum()),
        "negatives_hard": int((negative & judged.hard).sum()),
        "missing": int(judged.missing.sum()),
        "counts": {key: int(value.sum()) for key, value in counts.items()} if judged.answers else None,
        "figures": {f.key: f.statistic(judged, None) for f in FIGURES},
        "intervals": {f.key: metrics.interval(resamples.values(judged, f)) for f in FIGURES},
        "equal_error": {
            "threshold": error_threshold(judged),
            "errors": errors_at_equal_error(judged),
            "photos": int((~judged.fit).sum()),
        },
        "reliability": [[b.count, b.probability, b.right] for b in reliability_of(judged)],
        "corners_known": int((~np.isnan(judged.corner_pixels)).sum()),
        "stages_ms": {stage: metrics.quantile(np.array(ms), 0.5) for stage, ms in stages.items()},
    }


def _curves(judged: Judged) -> dict[str, Any]:
    """Points (x, y) of all photos together, for the plots."""
    found = np.isfinite(judged.first_score)
    best = metrics.sweep(judged.first_score[found], judged.first_right[found])
    pairs = metrics.sweep(judged.pair_score, judged.pair_right)
    positives = np.count_nonzero(judged.positive)
    answered = best.right + best.wrong
    curves: dict[str, Any] = {"recall_at_k": [], "precision_recall": [], "roc": []}
    if not positives:
        return curves
    ranks = judged.listed_rank if not np.isnan(judged.listed_rank).any() else judged.final_rank
    curves["recall_at_k"] = [[k, metrics.share(ranks <= k, judged.positive)] for k in DEPTHS]
    curves["precision_recall"] = _thinned(best.right / positives, best.right / answered)
    curves["roc"] = _thinned(pairs.wrong / max(judged.wrongs.sum(), 1), pairs.right / max(judged.rights.sum(), 1))
    return curves


def failures(judged: Judged, *, most: int) -> list[dict[str, Any]]:
    """What to look at: wrong answers, the surest first, then photos of gallery pictures without a right answer. Of
    a method that gives no answers: photos whose right picture is not ranked first, the surest wrong ones first."""
    missed = judged.positive & (~judged.accepted_right if judged.answers else judged.final_rank != 1)
    order = sorted(
        np.flatnonzero(judged.accepted_wrong | missed),
        key=lambda i: (not judged.accepted_wrong[i], -judged.first_score[i]),
    )
    rows = []
    for i in order[:most]:
        set_name, query = judged.photos[i]
        kind = "missed" if judged.answers else "ranked another first"
        if judged.accepted_wrong[i]:
            kind = "wrong" if judged.positive[i] else "false, hard" if judged.hard[i] else "false, easy"
        rank = judged.final_rank[i]
        rows.append({
            "set": set_name, "query": query, "kind": kind, "first": judged.first_ref[i],
            "score": judged.first_score[i], "right_rank": int(rank) if np.isfinite(rank) else None,
        })  # fmt: skip
    return rows


def _thinned(x: Floats, y: Floats) -> list[list[float]]:
    """At most MOST_POINTS, closer together at the start, where thresholds are high."""
    if not len(x):
        return []
    keep = np.unique(np.geomspace(1, len(x), min(len(x), MOST_POINTS)).round().astype(int) - 1)
    return [[float(x[i]), float(y[i])] for i in keep]


def _compared(judged: Mapping[str, Mapping[str, Judged]], resamples: Resamples) -> dict[str, list[dict[str, Any]]]:
    """Each method beside the baseline, on the photos that both were asked."""
    pairs: list[dict[str, Any]] = []
    losses: list[dict[str, Any]] = []
    if BASELINE not in judged:
        return {"pairs": pairs, "losses": losses}
    for name, sets in judged.items():
        common = [s for s in sets if s in judged[BASELINE]]
        if name == BASELINE or not common:
            continue
        sides = [(s, sets[s], judged[BASELINE][s]) for s in common]
        everything = "all", pooled([t for _, t, _ in sides]), pooled([o for _, _, o in sides])
        for set_name, theirs, ours in [*sides, everything]:
            photos = frozenset(theirs.photos) & frozenset(ours.photos)
            a, b = theirs.only(photos), ours.only(photos)
            sampled = len(photos) < max(len(theirs), len(ours))
            pairs.append({"method": name, "set": set_name, "sampled": sampled, **_paired(a, b, resamples)})
            losses += [
                {"method": name, "set": set_name, "sampled": sampled, **loss} for loss in _losses(a, b, resamples)
            ]
    return {"pairs": pairs, "losses": losses}


def _paired(theirs: Judged, ours: Judged, resamples: Resamples) -> dict[str, Any]:
    keys = {f.key: f for f in FIGURES}
    tests: dict[str, Any] = {"photos": len(theirs)}
    for name, key in (("answered", "recall_at_1"), ("ranked_first", "ranked_first")):
        if name == "answered" and not (theirs.answers and ours.answers):
            tests[name] = None
            continue
        a, b = (j.accepted_right if name == "answered" else j.positive & (j.final_rank <= 1) for j in (theirs, ours))
        only_theirs, only_ours, p = metrics.mcnemar(a, b)
        difference = resamples.values(theirs, keys[key]) - resamples.values(ours, keys[key])
        tests[name] = {
            "only_theirs": only_theirs,
            "only_ours": only_ours,
            "p": p,
            "difference": keys[key].statistic(theirs, None) - keys[key].statistic(ours, None),
            "interval": metrics.interval(difference),
        }
    return tests


def _losses(theirs: Judged, ours: Judged, resamples: Resamples) -> list[dict[str, Any]]:
    """Figures in which theirs is better. certain: the interval of the difference leaves out zero."""
    found = []
    for figure in FIGURES:
        a, b = figure.statistic(theirs, None), figure.statistic(ours, None)
        if math.isnan(a) or math.isnan(b) or a == b or (a > b) != figure.higher:
            continue
        with np.errstate(invalid="ignore"):  # two infinite corner errors do not differ
            difference = resamples.values(theirs, figure) - resamples.values(ours, figure)
        low, high = metrics.interval(difference)
        found.append({
            "figure": figure.key, "theirs": a, "ours": b, "difference": a - b, "interval": (low, high),
            "certain": low > 0 or high < 0, "photos": len(theirs),
        })  # fmt: skip
    return found


def _costs(methods: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Methods that need fewer bytes a picture, or add more pictures a second, than the baseline."""
    ours = next((m for m in methods if m["name"] == BASELINE), None)
    if ours is None:
        return []
    found = []
    for method in methods:
        for key, sign in (("bytes_per_picture", -1), ("adds_per_second", 1)):
            a, b = method.get(key), ours.get(key)
            if a is not None and b is not None and sign * (a - b) > 0:
                found.append({
                    "method": method["name"], "set": "", "figure": key, "theirs": a, "ours": b, "difference": a - b,
                })  # fmt: skip
    return found


def _stressed(out: Path) -> list[dict[str, Any]]:
    """Factors of stress.csv in which a method ranks more pictures first, over all strengths together."""
    rows = _optional(out / STRESS, Stressed)
    sums: dict[str, dict[str, list[Stressed]]] = {}
    for row in rows:
        sums.setdefault(row.factor, {}).setdefault(row.method, []).append(row)
    found = []
    for factor, methods in sums.items():
        mean = {name: float(np.mean([r.recall_at_1 for r in lines])) for name, lines in methods.items()}
        for name, value in mean.items():
            if BASELINE in mean and value > mean[BASELINE]:
                ours = mean[BASELINE]
                found.append({
                    "method": name, "set": f"stress: {factor}", "figure": "ranked_first", "theirs": value, "ours": ours,
                    "difference": value - ours, "photos": sum(r.photos for r in methods[name]),
                })  # fmt: skip
    return found


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: both become null. Figures keep six digits."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
