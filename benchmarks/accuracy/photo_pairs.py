"""Two photos without a gallery: how many points agree where both show the same picture, and where they do not. By this
the server groups photos that matched nothing (`api.rules.misses`).

    python -m benchmarks.accuracy.photo_pairs SET... --out photo_pairs.json [--pairs 20] [--seed 0]

Of each set, so many pairs of photos of one picture are drawn, each picture once, and as many pairs of photos of two.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.sets import EvaluationSet, read_set
from engine.errors import ImageError
from engine.image import encode_jpeg
from engine.image_files import read_rgb
from engine.recognizer import Recognizer
from engine.settings import EngineSettings

THRESHOLDS = (10, 15, 20, 25, 30, 40)
"""Inliers from which on two photos count as showing the same."""


def drawn(chosen: EvaluationSet, count: int, rng: random.Random) -> Iterator[tuple[bool, str, str]]:
    """Whether both photos show the same picture, and their names."""
    photos = defaultdict(list)
    for query, references in sorted(chosen.truth.items()):
        if len(references) == 1:
            photos[next(iter(references))].append(query)
    several = sorted(picture for picture, names in photos.items() if len(names) > 1)
    for picture in rng.sample(several, min(count, len(several))):
        first, second = rng.sample(photos[picture], 2)
        yield True, first, second
    for _ in range(count if len(photos) > 1 else 0):
        one, other = rng.sample(sorted(photos), 2)
        yield False, rng.choice(photos[one]), rng.choice(photos[other])


def agreeing(recognizer: Recognizer, first: Path, second: Path) -> int | None:
    """Inliers; None where a photo cannot be read, or shows too little."""
    seen = [read_rgb(path) for path in (first, second)]
    if seen[0] is None or seen[1] is None:
        return None
    try:
        head = recognizer.describe(encode_jpeg(seen[0]), trim=False)
        found = recognizer.compare(head, encode_jpeg(seen[1])).results
    except ImageError:
        return None
    return found[0].inliers if found else 0


def measure(sets: list[EvaluationSet], *, pairs: int, seed: int) -> dict[str, Any]:
    """Inliers of all pairs, and the share of each kind at each threshold."""
    rng = random.Random(seed)
    found: dict[bool, list[int]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder, Recognizer.open(Path(folder), EngineSettings()) as recognizer:
        for chosen in sets:
            for same, first, second in drawn(chosen, pairs, rng):
                inliers = agreeing(recognizer, *(chosen.folder / "queries" / name for name in (first, second)))
                if inliers is not None:
                    found[same].append(inliers)
    at = {str(n): {_name(k): sum(i >= n for i in found[k]) / max(len(found[k]), 1) for k in found} for n in THRESHOLDS}
    return {**{_name(same): sorted(inliers) for same, inliers in found.items()}, "share_at": at}


def _name(same: bool) -> str:
    return "same" if same else "different"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    report = measure([read_set(folder) for folder in given.sets], pairs=given.pairs, seed=given.seed)
    report |= {"sets": [folder.name for folder in given.sets], "pairs": given.pairs, "seed": given.seed}
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    for number, shares in report["share_at"].items():
        print(f"{number} inliers: same {shares['same']:.2f}, different {shares['different']:.2f}")


if __name__ == "__main__":
    main()
