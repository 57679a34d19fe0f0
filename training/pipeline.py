"""Makes a model folder of a folder of pictures. Reads from top to bottom.

OUT/pairs/train_*.npz, val_*.npz    patch pairs, made by several processes; train_* not where each batch is made on the
                                    device
OUT/checkpoint.pt, log.csv          the network as it learns
OUT/model/                          what the engine's `model` setting takes
"""

from __future__ import annotations

import dataclasses
import difflib
import multiprocessing
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engine.describe.patch_model import PatchModel
from engine.errors import ResearchError
from engine.image_files import list_pictures
from training.pairs.in_processes import generate, is_validation

SHARD = 20_000
"""Pairs of a file: about 40 MB before compression."""
VALIDATION_PAIRS = 4_096
"""Held-out pairs that a training is judged by."""
FEWEST = {"train": 50, "val": 3}
"""Pictures of each kind without which training teaches nothing, or cannot be judged."""
VOCABULARY_PICTURES = 4_000
"""Pictures that words and global descriptor are fitted on, at most about twice as many."""
INVENTED = 0.5
"""Share of the pictures to learn from that are new ones, or stand beside a look-alike."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be made of which pictures, and by what means."""

    data: Path
    """Folder of the pictures, with any depth of folders in it."""
    out: Path
    """Folder of the pairs, the checkpoint and the model."""
    pairs: int
    """Pairs of patches to learn from."""
    processes: int
    """How many processes make the pairs, and how many threads the teacher has."""
    resume: bool
    """Goes on from the checkpoint in `out`, if there is one."""
    start: Path | None = None
    """Checkpoint of another training to begin with."""
    teacher: Path | None = None
    """Folder of a model to learn from beside the pairs."""
    on_device: bool = False
    """Pairs are made where the network trains, fresh ones in every step, instead of `pairs` beforehand."""


def read_settings(file: Path | None, *, comparator: bool = False, **chosen: Any) -> Any:
    """TrainingSettings, or ComparatorSettings, from a TOML file; `chosen` wins where it is not None. Raises
    ResearchError for an unknown key, with the nearest one, and for a file that is no TOML."""
    from training.comparator.learn import ComparatorSettings
    from training.learn.train import TrainingSettings

    kind: Any = ComparatorSettings if comparator else TrainingSettings
    try:
        values = tomllib.loads(file.read_text("utf-8")) if file else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ResearchError(f"{file} cannot be read as TOML: {error}") from error
    fields = {field.name: field.default for field in dataclasses.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0)
            raise ResearchError(f"no training setting named {key}; the nearest is {near[0]}")
        if not _same_kind(value, fields[key]):
            raise ResearchError(f"{key}: {value!r} is not of the kind of its default {fields[key]!r}")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return kind(**values | {key: value for key, value in chosen.items() if value is not None})


def has_gpu() -> bool:
    """Whether networks are trained on a GPU here. Imports torch."""
    import torch

    return torch.cuda.is_available()


def _same_kind(value: Any, default: Any) -> bool:
    if default is None or isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, tuple):
        return isinstance(value, list) and bool(value) and all(type(v) is int for v in value)
    return type(value) is type(default)


def run(
    plan: Plan, settings: Any, *, tell: Callable[[str], None], watch: Callable[[float, str], None]
) -> dict[str, Any]:
    """Makes pairs, trains, exports; gives the card. tell: what begins, in words; watch: see `training.learn.train`.

    What an earlier run made of the pairs is taken as it is; `resume` goes on from its checkpoint too. Raises
    ResearchError where the folder holds too few pictures or the teacher has another dimension, ModelError where the
    teacher is no model.
    """
    from training.export.patch_model import export
    from training.learn.train import train

    if plan.on_device:
        import training.pairs.on_device  # noqa: F401  # what it needs and lacks is told before anything is made

    teacher = _load_teacher(plan.teacher, settings.dimension, threads=plan.processes) if plan.teacher else None
    pictures = list_pictures(plan.data)
    held_out = is_validation(plan.data, pictures)
    kinds = {"train": [p for p, held in zip(pictures, held_out, strict=True) if not held]}
    kinds["val"] = [p for p, held in zip(pictures, held_out, strict=True) if held]
    for kind, fewest in FEWEST.items():
        if len(kinds[kind]) < fewest:
            raise ResearchError(
                f"{plan.data}: {len(kinds[kind])} pictures for {kind!r}, {fewest} are needed; give more"
            )
    tell(f"{len(kinds['train'])} pictures to learn from, {len(kinds['val'])} held out")

    pairs = plan.out / "pairs"
    make_pairs(kinds, pairs, plan, tell=tell)
    simulated = _simulated_pairs(kinds["train"], plan, settings, tell=tell) if plan.on_device else None

    resume = plan.resume and (plan.out / "checkpoint.pt").exists()
    tell("training goes on" if resume else "training")
    train(
        pairs,
        plan.out,
        settings,
        resume=resume,
        start=plan.start,
        teacher=teacher,
        simulated=simulated,
        watch=watch,
    )

    tell("exporting: network, words, global descriptor")
    sample = kinds["train"][:: max(1, len(kinds["train"]) // VOCABULARY_PICTURES)]
    card: dict[str, Any] = {"data": f"{len(pictures)} pictures, {len(kinds['val'])} held out"}
    card["pairs"] = "made on the device, step by step" if plan.on_device else plan.pairs
    if teacher is not None:
        card["teacher"] = teacher.fingerprint
    return export(plan.out / "checkpoint.pt", sample, plan.out / "model", name="obverse-patch", card=card)


def _load_teacher(folder: Path, dimension: int, *, threads: int) -> PatchModel:
    model = PatchModel(folder, threads=threads)
    if model.dimension != dimension:
        raise ResearchError(f"{folder} gives {model.dimension} numbers a patch, the network to be trained {dimension}")
    return model


def _simulated_pairs(pictures: list[Path], plan: Plan, settings: Any, *, tell: Callable[[str], None]) -> Any:
    import torch

    from training.pairs.on_device import SimulatedPairs, make_bank

    tell("reading the pictures, to take photos of them on the device")
    bank = make_bank(pictures, seed=settings.seed, invented=INVENTED, processes=plan.processes)
    device = torch.device("cuda" if has_gpu() else "cpu")
    return SimulatedPairs(bank, runs=settings.runs, run_length=settings.run_length, seed=settings.seed, device=device)


def make_pairs(kinds: dict[str, list[Path]], folder: Path, plan: Plan, *, tell: Callable[[str], None]) -> None:
    """Fills the shards that are missing; each has a seed of its own, so that processes need not talk. Those to learn
    from are left out where pairs are made on the device."""
    folder.mkdir(parents=True, exist_ok=True)
    # Held-out pairs are of the pictures as they are.
    work = [(kinds["val"], folder / "val_0000.npz", 10**6, VALIDATION_PAIRS, 0.0)]
    for number, start in enumerate(range(0, 0 if plan.on_device else plan.pairs, SHARD)):
        wanted = min(SHARD, plan.pairs - start)
        work.append((kinds["train"], folder / f"train_{number:04d}.npz", number, wanted, INVENTED))
    missing = [item for item in work if not item[1].exists()]
    if not missing:
        return
    # Spawned, not forked: a fork of a process with OpenCV's or ONNX Runtime's threads may hang.
    with multiprocessing.get_context("spawn").Pool(min(plan.processes, len(missing))) as pool:
        for done, name in enumerate(pool.imap_unordered(_make_shard, missing), start=1):
            tell(f"patch pairs: {name}, {done} of {len(missing)} files")


def _make_shard(item: tuple[list[Path], Path, int, int, float]) -> str:
    pictures, path, seed, wanted, invented = item
    cv2.setNumThreads(1)  # this process is one of several, and ends with its work
    batches, count = [], 0
    for batch in generate(pictures, seed=seed, invented=invented):
        batches.append(batch)
        count += len(batch.source)
        if count >= wanted:
            break
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file,
            a=np.concatenate([b.picture for b in batches])[:wanted],
            b=np.concatenate([b.photo for b in batches])[:wanted],
            source=np.concatenate([b.source for b in batches])[:wanted],
        )
    part.replace(path)
    return path.name
