"""Makes a comparator of a folder of pictures. Reads from top to bottom.

OUT/comparisons/train_*.npz, val_*.npz   labelled comparisons, made by several processes
OUT/comparator.pt, comparator.csv        the network as it learns
OUT/comparator/                          what is shipped in `models/`: comparator.onnx and comparator.json
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engine.describe.patch_model import PatchModel
from engine.errors import ResearchError
from engine.image_files import list_pictures
from training.comparator.samples import generate
from training.pairs.in_processes import is_validation

SHARD = 250
"""Comparisons of a file: 115 MB of pixels."""
VALIDATION = 500
"""Held-out comparisons that a training is judged by."""
FEWEST = {"train": 50, "val": 3}
"""Pictures of each kind without which training teaches nothing, or cannot be judged."""


@dataclass(frozen=True, kw_only=True)
class ComparatorPlan:
    """What is to be made of which pictures, and by what means."""

    data: Path
    out: Path
    comparisons: int
    """Comparisons to learn from, about two of each simulated photo."""
    processes: int
    model: Path
    """Folder of the patch model, whose matches put picture and photo together."""
    start: Path | None = None
    """comparator.pt of another training, to begin with its weights."""


def run(
    plan: ComparatorPlan, settings: Any, *, tell: Callable[[str], None], watch: Callable[[float, str], None]
) -> dict[str, Any]:
    """Makes comparisons, trains, exports; gives the card. Comparisons that an earlier run made are taken as they are.
    Raises ResearchError where the folder holds too few pictures or `start` no such weights, ModelError where `model` is
    none."""
    from training.comparator.export import export
    from training.comparator.learn import begin_with, train
    from training.comparator.network import Comparator

    PatchModel(plan.model)  # what these refuse is told before anything is made
    if plan.start is not None:
        begin_with(Comparator(width=settings.width), plan.start)
    pictures = list_pictures(plan.data)
    held = is_validation(plan.data, pictures)
    kinds = {
        "train": [p for p, out in zip(pictures, held, strict=True) if not out],
        "val": [p for p, out in zip(pictures, held, strict=True) if out],
    }
    for kind, fewest in FEWEST.items():
        if len(kinds[kind]) < fewest:
            raise ResearchError(
                f"{plan.data}: {len(kinds[kind])} pictures for {kind!r}, {fewest} are needed; give more"
            )
    tell(f"{len(kinds['train'])} pictures to learn from, {len(kinds['val'])} held out")
    make_comparisons(kinds, plan, tell=tell)
    tell("training")
    _, figures = train(plan.out / "comparisons", plan.out, settings, start=plan.start, watch=watch)
    tell("exporting")
    facts = {"data": f"{len(pictures)} pictures, {len(kinds['val'])} held out", "comparisons": plan.comparisons}
    return export(plan.out, plan.out / "comparator", {**facts, "held_out": figures})


def make_comparisons(kinds: dict[str, list[Path]], plan: ComparatorPlan, *, tell: Callable[[str], None]) -> None:
    """Fills the shards that are missing; each has a seed of its own, so that processes need not talk."""
    folder = plan.out / "comparisons"
    folder.mkdir(parents=True, exist_ok=True)
    work = [
        (kinds["val"], folder / f"val_{k:04d}.npz", 10**6 + k, SHARD, plan.model) for k in range(VALIDATION // SHARD)
    ]
    for number, start in enumerate(range(0, plan.comparisons, SHARD)):
        wanted = min(SHARD, plan.comparisons - start)
        work.append((kinds["train"], folder / f"train_{number:04d}.npz", number, wanted, plan.model))
    missing = [item for item in work if not item[1].exists()]
    if not missing:
        return
    # Spawned, not forked: a fork of a process with OpenCV's or ONNX Runtime's threads may hang.
    with multiprocessing.get_context("spawn").Pool(min(plan.processes, len(missing))) as pool:
        for done, name in enumerate(pool.imap_unordered(_make_shard, missing), start=1):
            tell(f"comparisons: {name}, {done} of {len(missing)} files")


def _make_shard(item: tuple[list[Path], Path, int, int, Path]) -> str:
    pictures, path, seed, wanted, model = item
    cv2.setNumThreads(1)  # this process is one of several, and ends with its work
    frames, labels = [], []
    for frame, label in generate(pictures, PatchModel(model), seed=seed):
        frames.append(frame)
        labels.append(label)
        if len(frames) >= wanted:
            break
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, frames=np.stack(frames), labels=np.stack(labels))
    part.replace(path)
    return path.name
