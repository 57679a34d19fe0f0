"""The other methods beside the baseline: paired tests, and every figure in which one of them is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.files import STRESS, Stressed
from benchmarks.compare.score import metrics
from benchmarks.compare.score.figures import FIGURES
from benchmarks.compare.score.judging import Judged, pooled
from benchmarks.compare.score.reading import BASELINE, read_optional
from benchmarks.compare.score.resamples import Resamples


def compare_with_baseline(
    judged: Mapping[str, Mapping[str, Judged]], resamples: Resamples
) -> dict[str, list[dict[str, Any]]]:
    """{"pairs", "losses"}: each method beside the baseline, on the photos that both were asked; nothing where the
    baseline was not run."""
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


def _losses(theirs: Judged, ours: Judged, resamples: Resamples) -> list[dict[str, Any]]:
    """Figures in which theirs is better; a loss is certain where the interval of the difference leaves out zero."""
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


def _paired(theirs: Judged, ours: Judged, resamples: Resamples) -> dict[str, Any]:
    """Photos that only one of the two answered rightly, or ranked first, and how sure the difference is."""
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


def losses_in_cost(methods: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Losses to methods that need fewer bytes a picture, or add more pictures a second, than the baseline."""
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


def losses_under_stress(out: Path) -> list[dict[str, Any]]:
    """Losses by factor of stress.csv: methods that rank more pictures first, over all strengths together."""
    rows = read_optional(out / STRESS, Stressed)
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
