"""Trains the patch network on shards of patch pairs. Reads from top to bottom.

Hardest-in-batch triplets (HardNet, Mishchuk et al. 2017, equation 2), once on the descriptors and once on
their softened signs, so that the Hamming distance of the 64-bit signatures separates as well.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.describe.patch_model import PatchModel
from engine.errors import ResearchError
from training.learn.network import PatchNetwork, check_shape


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What `train` can be told; a file of settings has these keys."""

    channels: tuple[int, ...] = (16, 32, 64, 128)
    """Maps that each of the network's convolutions gives."""
    strides: tuple[int, ...] = (2, 2, 1, 2)
    """Steps of each convolution, in pixels; their product is 8."""
    dimension: int = 64
    """Numbers of a descriptor."""
    steps: int = 20_000
    """Training ends after so many batches, and the learning rate falls to zero towards the end."""
    minutes: float | None = None
    """Training ends after so long, if that comes first; None: it does not look at the clock."""
    runs: int = 32
    """A batch is made of so many runs of neighbouring pairs, so that patches of one picture are negatives of each
    other."""
    run_length: int = 24
    """Pairs of a run."""
    learning_rate: float = 3e-3
    """Where it begins, after 200 steps of rising."""
    weight_decay: float = 1e-4
    """AdamW's."""
    margin: float = 1.0
    """By how much a negative has to be further away than the positive, before a triplet costs nothing."""
    sign_weight: float = 0.5
    """Share of the loss that is taken on softened signs; 0 switches it off."""
    second_order_weight: float = 1.0
    """Weight of the second-order term beside each triplet loss; 0 switches it off."""
    teacher_weight: float = 10.0
    """Weight of the distance to a teacher's descriptors, where there is a teacher."""
    bfloat16: bool = True
    """Convolutions work in bfloat16, channels last, which halves the time of a step and more where the processor has
    the instructions."""
    seed: int = 0
    """Decides the first weights and the order of the pairs."""
    validate_every: int = 250
    """Steps between two looks at the held-out pairs; the checkpoint and a row of the log are written then, too."""

    def __post_init__(self) -> None:
        """Raises ResearchError for a shape that no network has: before pairs are made, which takes long."""
        check_shape(self.channels, self.strides)


def load_shards(folder: Path, kind: str) -> tuple[Tensor, Tensor]:
    """All pairs of the folder's `kind` ("train" or "val") shards: two (N, 32, 32) uint8 tensors."""
    shards = [np.load(p) for p in sorted(folder.glob(f"{kind}_*.npz"))]
    if not shards:
        raise FileNotFoundError(f"no {kind}_*.npz in {folder}: make patch pairs first")
    return tuple(torch.from_numpy(np.concatenate([s[key] for s in shards])) for key in "ab")  # type: ignore[return-value]


def hardest_triplets(a: Tensor, b: Tensor, margin: float) -> Tensor:
    """Mean triplet loss of N pairs of unit vectors (N, D), each against its hardest negative in the batch."""
    similarity = a @ b.T
    distance = torch.sqrt((2 - 2 * similarity).clamp_min(1e-6))
    positive = distance.diagonal()
    # The same patch twice (a logo in two pictures, a repeated pattern) is no negative.
    with torch.no_grad():
        twins = (a @ a.T > 0.93) | (b @ b.T > 0.93) | torch.eye(len(a), dtype=torch.bool, device=a.device)
    masked = distance + 10.0 * twins
    hardest = torch.minimum(masked.min(0).values, masked.min(1).values)
    return (margin + positive - hardest).clamp_min(0).mean()


def second_order(a: Tensor, b: Tensor, *, neighbours: int = 8) -> Tensor:
    """Mean over N pairs of unit vectors (N, D) of how far their distances to their nearest `neighbours` in the
    batch, on either side, differ between the sides (SOSNet, Tian et al. 2019, section 3.2)."""
    count = min(neighbours, len(a) - 1)
    of_a, of_b = (torch.sqrt((2 - 2 * x @ x.T).clamp_min(1e-6)) for x in (a, b))
    with torch.no_grad():
        near = torch.cat([d.topk(count + 1, largest=False).indices[:, 1:] for d in (of_a, of_b)], 1)
    squares = (of_a.gather(1, near) - of_b.gather(1, near)) ** 2
    return torch.sqrt(squares.sum(1) + 1e-8).mean()


def descriptor_loss(a: Tensor, b: Tensor, settings: TrainingSettings) -> Tensor:
    """Triplets and the second-order term."""
    loss = hardest_triplets(a, b, settings.margin)
    if settings.second_order_weight:
        loss = loss + settings.second_order_weight * second_order(a, b)
    return loss


def soft_signs(descriptors: Tensor) -> Tensor:
    """Unit vectors close to the signs: tanh of the descriptors at twice their natural spread."""
    scaled = torch.tanh(descriptors * (2 * descriptors.shape[1] ** 0.5))
    return nn.functional.normalize(scaled, dim=1)


def batch_loss(network: PatchNetwork, both: Tensor, settings: TrainingSettings, taught: Tensor | None = None) -> Tensor:
    """The loss of N pairs. both: (2N, 32, 32) uint8, first the patches of one side, then those of the other; taught:
    (2N, D) unit vectors that a teacher gives for them."""
    with torch.autocast(both.device.type, torch.bfloat16, enabled=settings.bfloat16):
        described = network(both)
    da, db = described.float().chunk(2)
    loss = descriptor_loss(da, db, settings)
    if settings.sign_weight:
        signs = descriptor_loss(soft_signs(da), soft_signs(db), settings)
        loss = (1 - settings.sign_weight) * loss + settings.sign_weight * signs
    if taught is not None:
        loss = loss + settings.teacher_weight * (1 - (described.float() * taught).sum(1)).mean()
    return loss


@torch.no_grad()
def validate(network: PatchNetwork, a: Tensor, b: Tensor) -> dict[str, float]:
    """Health of the space on held-out pairs, in groups of 1,024: mean similarity of positives, of all
    negatives, of the nearest negative, share of pairs whose nearest neighbour is right, by float and by sign bits,
    and the share of random negatives below the Hamming distance that keeps 90 % of the positives."""
    network.eval()
    rows: list[list[float]] = []
    for start in range(0, len(a) - 1023, 1024):
        da, db = network(a[start : start + 1024]), network(b[start : start + 1024])
        similarity, signs = da @ db.T, torch.sign(da) @ torch.sign(db).T
        hamming = (da.shape[1] - signs) / 2
        eye = torch.eye(len(da), dtype=torch.bool, device=da.device)
        limit = hamming[eye].quantile(0.9)
        target = torch.arange(len(da), device=da.device)
        rows.append(
            [
                similarity[eye].mean().item(),
                similarity[~eye].mean().item(),
                similarity.masked_fill(eye, -1).max(1).values.mean().item(),
                (similarity.argmax(1) == target).float().mean().item(),
                (signs.argmax(1) == target).float().mean().item(),
                limit.item(),
                (hamming[~eye] <= limit).float().mean().item(),
            ]
        )
    network.train()
    names = ["positive", "negative", "nearest_negative", "right_float", "right_bits", "hamming90", "false_at_hamming90"]
    return dict(zip(names, np.mean(rows, 0).tolist(), strict=True))


def unwatched(share: float, state: str) -> None:
    """A `watch` that tells nobody."""


def train(
    pairs: Path,
    out: Path,
    settings: TrainingSettings,
    *,
    resume: bool = False,
    start: Path | None = None,
    teacher: PatchModel | None = None,
    simulated: Callable[[int, float], tuple[Tensor, Tensor]] | None = None,
    watch: Callable[[float, str], None] = unwatched,
) -> PatchNetwork:
    """Trains on `pairs`, writing out/checkpoint.pt and out/log.csv; returns the network.

    resume: goes on where out/checkpoint.pt stopped; start: another training's checkpoint, whose weights this
    one begins with, at step 0 of its own schedule; teacher: a model of the same dimension whose descriptors the
    network is to come near to beside telling the pairs apart (distillation, Hinton et al. 2015, here by cosine);
    simulated: makes the pairs of a step, told its number and the share of the training that is done
    (`training.pairs.on_device.SimulatedPairs`); then `pairs` needs to hold the held-out ones only;
    watch: told after each step the share of the training that is done, and in words how it goes. Raises ResearchError
    where the network of `start` has another shape.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = PatchNetwork(channels=settings.channels, strides=settings.strides, dimension=settings.dimension)
    network = network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's stubs
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    step, spent = 0, 0.0
    if start is not None and not resume:
        _begin_with(network, start)
    if resume:
        state: dict[str, Any] = torch.load(out / "checkpoint.pt", weights_only=True, map_location="cpu")
        network.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        step, spent = state["step"], state["seconds"]
    shards, a, b = 0, torch.empty(0), torch.empty(0)
    held_a, held_b = (t[: 4 * 1024].to(device) for t in load_shards(pairs, "val"))
    started = time.monotonic() - spent
    span = torch.arange(settings.run_length)
    losses: list[float] = []  # since the last row of the log
    figures: dict[str, float] = {}
    while True:
        elapsed = time.monotonic() - started
        progress = step / settings.steps
        if settings.minutes is not None:
            progress = max(progress, elapsed / 60 / settings.minutes)
        if step % settings.validate_every == 0 or progress >= 1:
            # Shards may still be in the making: what has come meanwhile is taken in.
            if simulated is None and (count := len(list(pairs.glob("train_*.npz")))) != shards:
                shards, (a, b) = count, load_shards(pairs, "train")
            figures = validate(network, held_a, held_b)
            loss_since = float(np.mean(losses)) if losses else float("nan")
            _log(out / "log.csv", {"step": step, "seconds": round(elapsed), "loss": loss_since, **figures})
            losses.clear()
            torch.save(
                {
                    "weights": network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "settings": asdict(settings),
                    "step": step,
                    "seconds": elapsed,
                    "random": torch.get_rng_state(),
                },
                out / "checkpoint.pt.part",
            )
            (out / "checkpoint.pt.part").replace(out / "checkpoint.pt")
        if progress >= 1:
            return network
        rate = settings.learning_rate * min(1.0, (step + 1) / 200) * (1 - progress)
        for group in optimizer.param_groups:
            group["lr"] = rate
        if simulated is None:
            starts = torch.randint(0, len(a) - settings.run_length + 1, (settings.runs, 1))
            rows = (starts + span).flatten()
            pair = a[rows], b[rows]
        else:
            pair = simulated(step, progress)
        # One pass over both sides keeps batch normalisation's statistics common.
        both = torch.cat(pair).to(device)
        if torch.rand(()) < 0.5:
            both = both.flip(2)
        taught = None if teacher is None else torch.from_numpy(teacher.describe(both.cpu().numpy())).to(device)
        loss = batch_loss(network, both, settings, taught)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        step += 1
        losses.append(loss.item())
        watch(progress, f"step {step}, loss {losses[-1]:.3f}, held-out pairs found {figures['right_float']:.3f}")


def _begin_with(network: PatchNetwork, start: Path) -> None:
    state: dict[str, Any] = torch.load(start, weights_only=True, map_location="cpu")
    try:
        network.load_state_dict(state["weights"])
    except (KeyError, RuntimeError) as error:
        raise ResearchError(
            f"{start} holds no network of channels {network.channels} and strides {network.strides}: {error}"
        ) from error


def _log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow({k: round(v, 5) for k, v in row.items()})
