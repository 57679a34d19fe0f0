"""SCORE: from predictions and truth to results.json, without running a method."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.files import PREDICTIONS, RESULTS, TIMINGS, Timing
from benchmarks.compare.score import metrics
from benchmarks.compare.score.baseline import compare_with_baseline, losses_in_cost, losses_under_stress
from benchmarks.compare.score.figures import FIGURES, error_threshold, errors_at_equal_error, reliability_of
from benchmarks.compare.score.judging import Judged, pooled
from benchmarks.compare.score.metrics import Floats
from benchmarks.compare.score.reading import BASELINE, Grouped, grouped, judge_all, read_optional, read_run
from benchmarks.compare.score.resamples import Resamples

DEPTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1500)
"""Depths at which the curve of recall@K has points."""
MOST_POINTS = 200
"""Most points of a curve in results.json."""
MOST_FAILURES = 24
"""Most failures of a method in results.json, and fewer where there are many methods: the report holds their
pictures."""


def score(out: Path, extra: Sequence[Path] = ()) -> dict[str, Any]:
    """Reads the run folder and further prediction files, writes results.json and gives its content. Raises
    ResearchError where a file is malformed or contradicts the sets, FileNotFoundError where one is missing."""
    run = read_run(out)
    judged = judge_all(out, run, extra)
    facts = {m["name"]: m for m in run["methods"]}
    timings = grouped(read_optional(out / TIMINGS, Timing))
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
    compared = compare_with_baseline(judged, resamples)
    content = {
        **{key: value for key, value in run.items() if key != "methods"},
        "bootstrap": {"resamples": metrics.RESAMPLES, "seed": metrics.SEED, "level": 0.95},
        "predictions": [PREDICTIONS, *(path.name for path in extra)],
        "baseline": BASELINE if BASELINE in judged else None,
        "methods": methods,
        "pairs": compared["pairs"],
        "losses": compared["losses"] + losses_in_cost(run["methods"]) + losses_under_stress(out),
    }
    text = json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False)
    draft = out / f"{RESULTS}.tmp"
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(out / RESULTS)
    read: dict[str, Any] = json.loads(text)
    return read


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
