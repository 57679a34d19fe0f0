"""Pairs made on this machine's device beside those of its processors: are they the same, and which come faster?

    python -m training.device_report DIR [--pictures N] [--batches N] [--seed N]

N pictures of DIR are drawn at random. What is printed, as JSON:

difference           how far photos by the same recipes differ between the two painters, in mean grey levels of each
                     photo, without noise: median, nine in ten, worst
same_keypoints       the share of the engine's keypoints that the batch detector finds in them, within a pixel, on the
                     same level: median, one in ten, worst
pairs_per_second     of one process and of the device, as many of a photo
batches_per_second   that the device makes, and that the default network learns from, without a teacher: the smaller
                     number is what a training waits for
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree

from engine.describe.keypoints import PHOTO_DETECTOR, detect
from engine.image_files import list_pictures
from engine.threads import one_thread_each
from training.learn.network import PatchNetwork
from training.learn.train import TrainingSettings, batch_loss
from training.pairs.device_keypoints import detect_batch
from training.pairs.device_photographs import photograph
from training.pairs.in_processes import generate
from training.pairs.on_device import Bank, SimulatedPairs, make_bank, to_gray
from training.pipeline import INVENTED, has_gpu
from training.simulation.photographs import develop, paint
from training.simulation.recipe import draw_batch, draw_size

SAME_PLACE = 1.0
"""Pixels within which two detectors have found the same keypoint."""
STEPS = 20
"""Steps of the network that are timed."""
BATCH = 8
"""Photos that are compared at a time: a processor's memory holds the steps of so many."""


def report(folder: Path, *, pictures: int, batches: int, seed: int) -> dict[str, Any]:
    """See the module. Raises ResearchError where no picture can be used."""
    rng = np.random.default_rng(seed)
    found = list_pictures(folder)
    paths = [found[k] for k in rng.permutation(len(found))[:pictures]]
    bank = make_bank(paths, seed=seed, invented=INVENTED, processes=1)
    device = torch.device("cuda" if has_gpu() else "cpu")
    settings = TrainingSettings(seed=seed)
    compared = [_compared(bank, rng, device) for _ in range(batches)]
    differences, shares = (np.concatenate(part) for part in zip(*compared, strict=True))

    ours = generate(paths, seed=seed, limit=settings.run_length, invented=INVENTED)
    pairs = SimulatedPairs(bank, runs=settings.runs, run_length=settings.run_length, seed=seed, device=device)
    both = torch.cat(pairs(0, 1.0))
    network = PatchNetwork().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate)
    made, seconds = _timed(lambda step: len(pairs(step + 1, 1.0)[0]), batches)
    with one_thread_each():  # as in each of the processes that make pairs
        by_process, process_seconds = _timed(lambda _: len(next(ours).source), batches * settings.runs)
    _, learning_seconds = _timed(lambda _: _step(network, optimizer, both, settings), STEPS)
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads",
        "pictures": len(bank),
        "photos": len(differences),
        "difference": _quantiles(differences, (0.5, 0.9, 1.0)),
        "same_keypoints": _quantiles(shares, (0.5, 0.1, 0.0)),
        "pairs_per_second": {"process": by_process / process_seconds, "device": made / seconds},
        "batches_per_second": {"made": batches / seconds, "learnt": STEPS / learning_seconds},
    }


def _compared(bank: Bank, rng: np.random.Generator, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """The mean difference of each photo of a batch, and the share of its keypoints that both detectors find."""
    some, around = (bank.take(torch.from_numpy(rng.integers(0, len(bank), BATCH))) for _ in range(2))
    size = draw_size(rng, 1.0)
    drawn, finishes = draw_batch(rng, some.sizes_in_pixels, [1.0] * BATCH, size=size, others=1)
    recipes = [replace(recipe, lens=replace(recipe.lens, noise=0.0)) for recipe in drawn]
    here, there = some.to(device).canvases, [around.to(device).canvases]
    photos = photograph(here, there, recipes, finishes, torch.Generator(device))
    gray = to_gray(photos, PHOTO_DETECTOR.long_side)
    seen = detect_batch(gray, PHOTO_DETECTOR)
    differences, shares = [], []
    for k, (recipe, finish) in enumerate(zip(recipes, finishes, strict=True)):
        painted = paint(recipe, _picture(some, k), [_picture(around, k)])
        expected = develop(finish, painted, np.zeros_like(painted))
        differences.append(np.abs(photos[k].permute(1, 2, 0).cpu().numpy() - expected).mean())
        points = detect(gray[k].byte().cpu().numpy(), PHOTO_DETECTOR)
        valid = seen.valid[k]
        # A level is further from the next than any two pixels.
        table = torch.cat([seen.xy[k][valid], 1e4 * seen.scale[k][valid][:, None]], 1).cpu().numpy()
        if len(points):
            places = np.c_[points.xy, 1e4 * points.scale]
            near = cKDTree(table).query(places)[0] < SAME_PLACE if len(table) else np.zeros(len(points))
            shares.append(near.mean())
    return np.array(differences), np.array(shares)


def _picture(bank: Bank, row: int) -> np.ndarray:
    width, height = (int(side) for side in bank.sizes[row])
    return np.ascontiguousarray(bank.pictures[row, :, :height, :width].permute(1, 2, 0).numpy())


def _step(
    network: PatchNetwork, optimizer: torch.optim.Optimizer, both: torch.Tensor, settings: TrainingSettings
) -> int:
    optimizer.zero_grad(set_to_none=True)
    batch_loss(network, both, settings).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return len(both) // 2


def _timed(work: Callable[[int], int], times: int) -> tuple[int, float]:
    """The sum of what `work` gives, and its seconds; a first call is neither counted nor timed."""
    work(0)
    _finish()
    started = time.perf_counter()
    done = sum(work(number) for number in range(1, times + 1))
    _finish()
    return done, time.perf_counter() - started


def _finish() -> None:
    """Waits for what a GPU has still to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _quantiles(values: np.ndarray, at: tuple[float, ...]) -> list[float]:
    return [round(float(value), 3) for value in np.quantile(values, at)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    found = report(chosen.folder, pictures=chosen.pictures, batches=chosen.batches, seed=chosen.seed)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
