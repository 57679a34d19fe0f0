"""What methods made of the simulated photos of `benchmarks.compare.stress_set`, by factor and strength."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.compare.files import STRESS, Stressed, write_rows
from benchmarks.compare.score.judging import Judged, pooled
from benchmarks.compare.stress_set import FACTORS, view_folder


def stress_rows(judged: Mapping[str, Mapping[str, Judged]]) -> list[Stressed]:
    """A row for each method, factor and strength that was photographed; the plain view is each factor's first."""
    rows = []
    for method, sets in judged.items():
        everything = pooled(list(sets.values()))
        for factor in FACTORS:
            for strength in (factor.plain, *factor.strengths):
                folder = f"{view_folder(factor, strength)}/"
                mine = everything.only(frozenset(p for p in everything.photos if p[1].startswith(folder)))
                if len(mine):
                    shares = (mine.final_rank <= 1, mine.accepted_right, mine.accepted_wrong)
                    rows.append(
                        Stressed(method, factor.name, float(strength), len(mine), *(float(s.mean()) for s in shares))
                    )
    return rows


def write_stress(out: Path, judged: Mapping[str, Mapping[str, Judged]]) -> None:
    """Writes stress.csv."""
    write_rows(out / STRESS, stress_rows(judged))
