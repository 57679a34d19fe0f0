"""Pairs made where the network trains, and whether all of it would be done there. Needs torch."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from engine.describe.keypoints import PHOTO_DETECTOR, PICTURE_DETECTOR, Keypoints
from engine.describe.patch_model import PatchModel
from engine.describe.patches import PATCH_SIDE
from engine.errors import ResearchError
from engine.image import encode_jpeg
from engine.image_files import list_pictures
from tests.support.training_pictures import drawn
from training.pairs.in_processes import corresponding
from training.simulation.recipe import draw_batch, draw_size

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
pytest.importorskip("kornia", reason="kornia is not installed: pip install 'obverse[train]'")

from tests.support.one_device import OneDevice  # noqa: E402
from training.learn.train import TrainingSettings, train  # noqa: E402
from training.pairs.device_keypoints import detect_batch  # noqa: E402
from training.pairs.device_photographs import Warps, photograph  # noqa: E402
from training.pairs.on_device import (  # noqa: E402
    Bank,
    SimulatedPairs,
    _empty,
    corresponding_batch,
    make_bank,
    to_gray,
)

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bank(pictures: Path) -> Bank:
    return make_bank(list_pictures(pictures)[:24], seed=1, invented=0.5, processes=2)


class TestBank:
    def test_pictures(self, bank: Bank) -> None:
        """Beside 24 pictures lie new ones and look-alikes, which name their originals, each with its keypoints and
        patches."""
        assert 28 < len(bank) < 44
        alike = (bank.original != torch.arange(len(bank))).nonzero()[:, 0]
        assert 2 <= len(alike) < len(bank) - 24
        difference = bank.pictures[alike].float() - bank.pictures[bank.original[alike]].float()
        assert (difference.abs().flatten(1).amax(1) > 20).all()
        assert bank.pictures.shape[1:] == (3, 512, 512)
        assert (bank.sizes.amax(1) == 512).all()
        there = bank.scale.isfinite()
        assert (there.sum(1) > 20).all()
        assert (bank.patches[there].flatten(1).float().std(1) > 0).all()

    def test_what_cannot_be_used(self, tmp_path: Path) -> None:
        """Files that are no pictures and pictures without keypoints are left out; of nothing else there is no bank."""
        (tmp_path / "a.jpg").write_bytes(b"no picture")
        (tmp_path / "b.jpg").write_bytes(encode_jpeg(np.full((300, 300, 3), 90, np.uint8), quality=90))
        with pytest.raises(ResearchError, match="none of the pictures"):
            make_bank(list_pictures(tmp_path), seed=0, invented=0.0, processes=1)
        (tmp_path / "c.jpg").write_bytes(encode_jpeg(drawn(1), quality=90))
        assert len(make_bank(list_pictures(tmp_path), seed=0, invented=0.0, processes=1)) == 1

    def test_too_many(self) -> None:
        """More pictures than there is memory for are refused with a number, before the system stops the training."""
        with pytest.raises(
            ResearchError, match=r"10000000 pictures need 7864.3 GB of memory, there are .*; give fewer"
        ):
            _empty({"pictures": np.zeros((3, 512, 512), np.uint8)}, 10**7)


def simulated(bank: Bank, *, seed: int = 0, runs: int = 4) -> SimulatedPairs:
    return SimulatedPairs(bank, runs=runs, run_length=12, seed=seed, device=CPU)


class TestPairs:
    def test_batches(self, bank: Bank) -> None:
        """A batch is the same for the same seed and step, another for another; its patches of pictures are the bank's,
        and resemble their photos' far more than others'."""
        first, again, next_one, other = (
            simulated(bank, seed=seed)(step, 0.1) for seed, step in ((0, 5), (0, 5), (0, 6), (1, 5))
        )
        assert all((a == b).all() for a, b in zip(first, again, strict=True))
        for differing in (next_one, other):
            assert len(differing[0]) != len(first[0]) or (differing[0] != first[0]).any()
        a, b = first
        assert a.shape == b.shape == (len(a), PATCH_SIDE, PATCH_SIDE)
        assert a.dtype == b.dtype == torch.uint8
        assert 20 < len(a) <= 4 * 12
        known = {patch.numpy().tobytes() for patch in bank.patches.flatten(0, 1)}
        assert all(patch.numpy().tobytes() in known for patch in a)
        flat = [
            torch.nn.functional.normalize(x.flatten(1).float() - x.float().mean((1, 2))[:, None], dim=1) for x in first
        ]
        likeness = flat[0] @ flat[1].T
        assert likeness.diagonal().median() > 0.7
        assert likeness[~torch.eye(len(a), dtype=torch.bool)].median() < 0.4

    def test_photos_get_harder(self, bank: Bank) -> None:
        """At the end of a training pairs are less alike than at its beginning."""

        def difference(progress: float) -> float:
            pairs = [simulated(bank, seed=seed)(0, progress) for seed in range(3)]
            return float(np.mean([(a.float() - b.float()).abs().mean() for a, b in pairs]))

        assert difference(1.0) > 1.1 * difference(0.0)

    def test_look_alikes_come_with_their_originals(self, bank: Bank) -> None:
        """Behind a look-alike its original follows."""
        pairs = simulated(bank, runs=64)
        rows = pairs._chosen(np.random.default_rng(0))
        original = bank.original.numpy()[rows]
        alike = np.flatnonzero(original != rows)[:-1]
        assert len(alike) > 3
        assert (rows[alike + 1] == original[alike]).all()

    def test_no_pair(self, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pictures of which no photo shows a keypoint are told, after a few attempts."""
        monkeypatch.setattr("training.pairs.on_device.ATTEMPTS", 2)
        nowhere = replace(bank, xy=torch.full_like(bank.xy, torch.nan))
        with pytest.raises(ResearchError, match="2 batches of photos without a single pair"):
            simulated(nowhere, runs=1)(0, 0.0)

    @pytest.mark.parametrize("seed", range(3))
    def test_the_pairs_of_the_processors(self, bank: Bank, seed: int) -> None:
        """Keypoints of pictures and photos correspond as `training.pairs.in_processes` has it."""
        rows = torch.arange(3)
        some = bank.take(rows)
        rng = np.random.default_rng(seed)
        size = draw_size(rng, 0.5)
        drawn_how, finishes = draw_batch(rng, some.sizes_in_pixels, [0.5] * 3, size=size, others=1)
        how = [replace(recipe, lens=replace(recipe.lens, noise=0.0)) for recipe in drawn_how]
        photos = photograph(some.canvases, [some.canvases], how, finishes, torch.Generator())
        gray = to_gray(photos, PHOTO_DETECTOR.long_side)
        seen = detect_batch(gray, PHOTO_DETECTOR)
        grown = gray.shape[2] / size[0]
        matched, best = corresponding_batch(some, seen, Warps.of([r.warp for r in how], CPU), grown)
        found = 0
        for k, recipe in enumerate(how):
            there = some.scale[k].isfinite()
            points = _keypoints(some.xy[k][there], some.scale[k][there], some.angle[k][there])
            valid = seen.valid[k]
            photo = _keypoints(
                (seen.xy[k][valid] + 0.5) / grown - 0.5, seen.scale[k][valid] / grown, seen.angle[k][valid]
            )
            factor = PICTURE_DETECTOR.long_side / float(some.sizes[k].max())
            a, b = corresponding(points, photo, recipe.warp, factor)
            expected = dict(zip(a.tolist(), valid.nonzero()[:, 0][b].tolist(), strict=True))
            ours = {c: int(best[k, c]) for c in matched[k].nonzero()[:, 0].tolist()}
            same = sum(expected.get(c) == row for c, row in ours.items())
            # There only the eight nearest keypoints of the picture are considered.
            assert same >= 0.85 * max(len(expected), len(ours))
            found += len(ours)
        assert found > 50


def _keypoints(xy: torch.Tensor, scale: torch.Tensor, angle: torch.Tensor) -> Keypoints:
    return Keypoints(xy.numpy(), scale.numpy(), angle.numpy(), scale.numpy())


class TestOneDevice:
    """On a GPU, tensors that were left on the processor would be an error; here they are found without one."""

    def test_what_it_finds(self) -> None:
        """Operations on tensors of both kinds, and NumPy; single numbers, indices and what is moved are no trouble."""
        with OneDevice() as mode:
            here, there = torch.arange(3.0), torch.arange(3.0, device=CPU)
            with pytest.raises(AssertionError, match="add"):
                there + here
            with pytest.raises(AssertionError, match="numpy"):
                (there * 2).numpy()
            assert ((there + torch.tensor(1.0))[here.long()] + here.to(CPU)).cpu().numpy().sum() == 9
        assert mode.operations > 1

    def test_pairs(self, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
        """All of a batch is made on the device, while the pictures are elsewhere."""
        pairs = simulated(bank, runs=6)
        for field in fields(bank):
            monkeypatch.setattr(getattr(bank, field.name), "place", "processor", raising=False)
        with OneDevice() as mode:
            a, b = pairs(0, 1.0)
        assert mode.operations > 1000
        assert (a.place, b.place) == ("device", "device")

    @pytest.mark.parametrize("on_device", [False, True])
    def test_training(self, bank: Bank, tmp_path: Path, on_device: bool) -> None:
        """So is all that a training does with them, with a teacher, and with what is held out."""
        rng = np.random.default_rng(0)
        for name in ("train_0.npz", "val_0.npz"):
            patches = rng.integers(0, 255, (1024, 32, 32), dtype=np.uint8)
            np.savez(tmp_path / name, a=patches, b=patches)
        settings = TrainingSettings(channels=(8, 8, 16), strides=(2, 2, 2), steps=2, runs=4, run_length=12)
        with OneDevice() as mode:
            train(
                tmp_path,
                tmp_path / "out",
                settings,
                teacher=PatchModel(),
                simulated=simulated(bank) if on_device else None,
            )
        assert mode.operations > 100
