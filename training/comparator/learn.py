"""Trains the comparator on shards of labelled comparisons."""

from __future__ import annotations

import csv
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import ResearchError
from training.comparator.network import Comparator
from training.comparator.samples import DIFFERENT, UNKNOWN
from training.learn.train import unwatched

_WARM_UP = 200
"""Steps in which the learning rate rises."""
_HUES = 16
"""Lab units by which the chroma of both sides is moved together, at most: no series' colours are learned by heart."""
_TINT = 12.0
"""Standard deviation, Lab units, of the tint that light gives to a photo, at most."""
_WAVES = 3.5
"""Pixels by which the photo's points are moved aside, in one standard deviation, at most: paper is no plane."""


@dataclass(frozen=True, kw_only=True)
class ComparatorSettings:
    """What the comparator's training can be told."""

    width: int = 48
    """Maps of the middle layers."""
    passes: float = 12.0
    """How often each comparison is learned from."""
    batch: int = 32
    """Comparisons of a step."""
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    minutes: float | None = None
    """Training ends after so long, if that comes first."""
    seed: int = 0


def load(folder: Path, kind: str) -> tuple[Tensor, Tensor]:
    """Frames and labels of all shards of a kind ("train" or "val"). Raises ResearchError where there are none."""
    shards = [np.load(path) for path in sorted(folder.glob(f"{kind}_*.npz"))]
    if not shards:
        raise ResearchError(f"no {kind}_*.npz in {folder}: make comparisons first")
    frames, labels = (torch.from_numpy(np.concatenate([s[key] for s in shards])) for key in ("frames", "labels"))
    return frames, labels


def train(
    folder: Path,
    out: Path,
    settings: ComparatorSettings,
    *,
    start: Path | None = None,
    watch: Callable[[float, str], None] = unwatched,
) -> tuple[Comparator, dict[str, float]]:
    """The network and what it reaches on the held-out comparisons; out/comparator.pt and out/comparator.csv are
    written as it learns. start: comparator.pt of another training, whose weights this one begins with; watch: told the
    share of the training that is done, and in words how it goes. Raises ResearchError where the network of `start` has
    another width."""
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    frames, labels = load(folder, "train")
    if device.type == "cuda" and frames.nbytes < torch.cuda.mem_get_info()[0] // 2:
        frames, labels = frames.to(device), labels.to(device)
    held_frames, held_labels = load(folder, "val")
    network = Comparator(width=settings.width).to(device)
    if start is not None:
        begin_with(network, start)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = max(1, int(settings.passes * len(frames) / settings.batch))
    order, started, losses = torch.randperm(len(frames)), time.monotonic(), list[float]()
    figures: dict[str, float] = {}
    step, done = 0, 0.0
    while True:
        done = step / steps
        if settings.minutes is not None:
            done = max(done, (time.monotonic() - started) / 60 / settings.minutes)
        if step % max(1, steps // 20) == 0 or done >= 1:
            figures = validate(network, held_frames, held_labels, device)
            mean = float(np.mean(losses)) if losses else float("nan")
            _log(out / "comparator.csv", {"step": step, "seconds": time.monotonic() - started, "loss": mean, **figures})
            losses.clear()
            state: dict[str, Any] = {"weights": network.state_dict(), "settings": asdict(settings), "step": step}
            torch.save({**state, "seconds": time.monotonic() - started}, out / "comparator.pt")
        if done >= 1:
            return network.eval(), figures
        rate = settings.learning_rate * min(1.0, (step + 1) / _WARM_UP) * (1 - done)
        for group in optimizer.param_groups:
            group["lr"] = rate
        taken = step * settings.batch % len(frames)
        if taken + settings.batch > len(frames):
            order, taken = torch.randperm(len(frames)), 0
        rows = order[taken : taken + settings.batch].to(frames.device)
        batch, wanted = varied(frames[rows].to(device), labels[rows].to(device))
        with torch.autocast(device.type, torch.bfloat16):
            judged = network(batch)
        loss = cell_loss(judged.float(), wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        step += 1
        losses.append(loss.item())
        watch(done, f"step {step} of {steps}, loss {losses[-1]:.3f}, held-out loss {figures['loss']:.3f}")


def begin_with(network: Comparator, start: Path) -> None:
    """Takes the weights of another training's comparator.pt. Raises ResearchError where it holds none of this width."""
    try:
        state: dict[str, Any] = torch.load(start, weights_only=True, map_location="cpu")
        network.load_state_dict(state["weights"])
    except (KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise ResearchError(f"{start} holds no comparator of width {network.width}: {error}") from error


def varied(frames: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Float frames and labels of a batch, changed by what leaves every label true: mirrored, turned upside down, both
    sides' chroma moved alike; of the photo alone, what light, print and paper do beyond the simulation: it fades, takes
    a tint, loses contrast, and lies some pixels aside in waves."""
    if torch.rand(()) < 0.5:
        frames, labels = frames.flip(3), labels.flip(2)
    if torch.rand(()) < 0.25:
        frames, labels = frames.flip(2), labels.flip(1)
    seen = frames.float()
    picture, photo, mask = seen[:, :3], seen[:, 3:6], seen[:, 6:]
    count, device = len(seen), seen.device

    def drawn(low: float, high: float, *, often: float, usual: float) -> Tensor:
        """(N, 1, 1, 1): uniform in some of the comparisons, `usual` in the others."""
        value = torch.rand((count, 1, 1, 1), device=device) * (high - low) + low
        return torch.where(torch.rand((count, 1, 1, 1), device=device) < often, value, torch.full_like(value, usual))

    hue = torch.randint(-_HUES, _HUES + 1, (count, 2, 1, 1), device=device)
    tint = torch.randn((count, 2, 1, 1), device=device) * drawn(0, _TINT, often=0.5, usual=0)
    of_picture, of_photo = picture[:, 1:] - 128, photo[:, 1:] - 128
    of_picture = of_picture * drawn(0, 0, often=0.05, usual=1) + hue  # a grey scan of a coloured print
    of_photo = of_photo * drawn(0.1, 1.3, often=0.5, usual=1) + hue + tint
    light = 255 * (photo[:, :1] / 255).clamp(0, 1) ** drawn(0.6, 1.6, often=0.5, usual=1)
    light = (light - 128) * drawn(0.4, 1.1, often=0.4, usual=1) + 128 + drawn(-25, 25, often=0.4, usual=0)
    photo = _waved(torch.cat([light, of_photo + 128], 1), drawn(0, _WAVES, often=0.6, usual=0))
    return torch.cat([picture[:, :1], of_picture + 128, photo, mask], 1).clamp(0, 255), labels


def _waved(photo: Tensor, pixels: Tensor) -> Tensor:
    """The photo, (N, 3, H, W), with its points moved aside smoothly, by about so many `pixels`, (N, 1, 1, 1)."""
    count, _, height, width = photo.shape
    coarse = torch.randn((count, 2, 6, 6), device=photo.device) * pixels * (2 / width)
    moved = nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    still = nn.functional.affine_grid(
        torch.eye(2, 3, device=photo.device).expand(count, 2, 3), list(photo.shape), False
    )
    return nn.functional.grid_sample(
        photo, still + moved.permute(0, 2, 3, 1), padding_mode="border", align_corners=False
    )


def cell_loss(judged: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over the cells with a label."""
    return nn.functional.cross_entropy(judged, labels.long(), ignore_index=UNKNOWN)


@torch.no_grad()
def validate(network: Comparator, frames: Tensor, labels: Tensor, device: torch.device) -> dict[str, float]:
    """Loss and share of right cells, and how many of the differing ones are found at 1 % of false alarms."""
    network.eval()
    judged = torch.cat([network(frames[k : k + 64].to(device)).float().cpu() for k in range(0, len(frames), 64)])
    network.train()
    known = labels != UNKNOWN
    log_odds = (judged[:, 1] - torch.logsumexp(judged[:, (0, 2)], 1))[known]
    differs = labels[known] == DIFFERENT
    limit = log_odds[~differs].kthvalue(max(1, int(0.99 * int((~differs).sum())))).values
    return {
        "loss": float(cell_loss(judged, labels)),
        "right": float((judged.argmax(1) == labels)[known].float().mean()),
        "found": float((log_odds[differs] > limit).float().mean()),
    }


def _log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow({key: round(value, 5) for key, value in row.items()})
