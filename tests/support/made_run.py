"""A small run folder, as `obverse compare` leaves one, with drawn pictures and predictions set by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.compare.files import (
    Grown,
    Listed,
    Prediction,
    Stressed,
    Timing,
    geometry_line,
    write_rows,
)

RIGHT = {"qa1.png": "a.png", "qa2.png": "a.png", "qb.png": "b.png", "qc.png": "c.png", "easy.png": "", "hard.png": ""}
"""What each photo shows."""
ANSWERS = {
    "obverse": {
        "qa1.png": [("a.png", 99.0), ("b.png", 2.0)],
        "qa2.png": [("b.png", 60.0), ("a.png", 10.0)],
        "qb.png": [("c.png", 90.0), ("b.png", 80.0)],
        "qc.png": [],
        "easy.png": [("d.png", 5.0)],
        "hard.png": [("//distractors/x.png", 70.0)],
    },
    "hash": {
        "qa1.png": [("a.png", 7.0), ("d.png", 7.0)],
        "qa2.png": [("a.png", 9.0)],
        "qb.png": [("b.png", 8.0)],
        "qc.png": [("c.png", 3.0)],
        "easy.png": [("d.png", 1.0)],
        "hard.png": [("d.png", 2.0)],
    },
}
"""What each method lists; obverse answers from 50 on, hash never. c.png is visible in qb.png too."""


def make_run(place: Path) -> Path:
    """PLACE/out with its set, PLACE/tiny, beside it; gives the run folder."""
    folder = place / "tiny"
    for i, name in enumerate(("a.png", "b.png", "c.png", "d.png")):
        draw(folder / "refs" / name, i)
    for i, name in enumerate(RIGHT):
        draw(folder / "queries" / name, 10 + i, (160, 120))
    (folder / "truth.csv").write_text("query,ref\n" + "".join(f"{q},{r}\n" for q, r in RIGHT.items()))
    (folder / "hard_negatives.csv").write_text("query,lookalike_ref,sift_inliers\nhard.png,d.png,20\n")
    (folder / "also_visible.csv").write_text("query,ref\nqb.png,c.png\n")
    head = "query,ref," + ",".join(f"h{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3))
    (folder / "homographies.csv").write_text(
        f"{head}\nqa1.png,a.png,1,0,3,0,1,4,0,0,1\nqa2.png,a.png,1,0,0,0,1,0,0,0,1\n"
    )
    out = place / "out"
    out.mkdir()
    methods = [
        {
            "name": "obverse", "about": "the default", "shortlists": ["votes", "global"], "ranking": "geometry",
            "verifier": None, "threshold": 50.0, "ceiling": False, "sample": None, "bytes_per_picture": 1700,
            "adds_per_second": 40.0,
        },
        {
            "name": "hash", "about": "a hash", "shortlists": ["hash"], "ranking": None, "verifier": None,
            "threshold": None, "ceiling": False, "sample": None, "bytes_per_picture": 8, "adds_per_second": 900.0,
        },
    ]  # fmt: skip
    run = {
        "command": "obverse compare tiny --out out", "commit": "0" * 40, "machine": {"cores": 2},
        "versions": {"python": "3.11"}, "seed": 0, "started": "2026-01-01T00:00:00+00:00", "gallery": 14,
        "distractors": 10, "methods": methods, "refused": {},
        "sets": [{"name": "tiny", "folder": str(folder), "photos": 6, "positives": 4, "negatives_easy": 1,
                  "negatives_hard": 1}],
    }  # fmt: skip
    (out / "run.json").write_text(json.dumps(run))
    rows = rows_of("obverse", threshold=50.0) + rows_of("hash", threshold=None)
    write_rows(out / "predictions.csv", rows)
    write_rows(
        out / "shortlist.csv",
        [Listed(r.method, r.set, r.query, r.rank, r.ref, r.score) for r in rows if r.rank]
        + [Listed("obverse", "tiny", "qc.png", 400, "c.png", 0.1)],
    )
    write_rows(out / "timings.csv", [Timing(r.method, r.set, r.query, "all", r.ms) for r in rows if r.rank < 2])
    shift = np.array([[1, 0, 6], [0, 1, 8], [0, 0, 1.0]])
    inliers = np.array([[10, 10, 16, 18], [50, 40, 56, 48], [80, 20, 86, 28.0]])
    (out / "geometry.jsonl").write_text(geometry_line("obverse", "tiny", "qa1.png", "a.png", shift, inliers))
    write_rows(
        out / "stress.csv",
        [
            Stressed(m, f, s, 8, max(0.0, r - s / 100), 0.5, 0.0)
            for f in ("tilt", "blur")
            for m, r in (("obverse", 0.9), ("hash", 0.95 if f == "blur" else 0.6))
            for s in (10.0, 40.0)
        ],
    )
    write_rows(
        out / "growth.csv",
        [Grown(m, n, 6, 0.5, 0.75, 1.0, n / 1000) for m in ("obverse", "hash") for n in (100, 1000, 10_000)],
    )
    return out


def rows_of(method: str, set_name: str = "tiny", *, threshold: float | None) -> list[Prediction]:
    rows = []
    for query, listed in ANSWERS[method].items():
        for rank, (ref, value) in enumerate(listed, 1):
            accepted = rank == 1 and threshold is not None and value >= threshold
            rows.append(Prediction(method, set_name, query, rank, ref, value, accepted, 20.0 + len(query)))
        if not listed:
            rows.append(Prediction(method, set_name, query, 0, "", 0.0, False, 30.0))
    return rows


def draw(path: Path, seed: int, size: tuple[int, int] = (120, 90)) -> None:
    rng = np.random.default_rng(seed)
    image = np.full((size[1], size[0], 3), 220, np.uint8)
    for _ in range(12):
        a, b = (tuple(int(v) for v in rng.integers(0, 90, 2)) for _ in range(2))
        cv2.rectangle(image, a, b, [int(v) for v in rng.integers(0, 255, 3)], -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def scored(folder: Path) -> dict[str, Any]:
    """What `score` wrote into the run's folder."""
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def of(results: dict[str, Any], method: str, set_name: str = "tiny") -> dict[str, Any]:
    """The figures of one method for one set, or for "all"."""
    row = next(m for m in results["methods"] if m["name"] == method)
    found: dict[str, Any] = row["all"] if set_name == "all" else row["sets"][set_name]
    return found
