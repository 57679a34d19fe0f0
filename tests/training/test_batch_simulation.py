"""Photos, keypoints and pairs by PyTorch, against OpenCV's and the engine's. Needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from training_pictures import FOLDS, NONE, WAVES, drawn, some_warp

from engine.image import encode_jpeg
from engine.keypoints import (
    PATCH_SIDE,
    PHOTO_DETECTOR,
    PICTURE_DETECTOR,
    DetectorSettings,
    Keypoints,
    detect,
    extract_patches,
)
from engine.runtime import PatchModel
from training.pairs import corresponding, list_pictures
from training.recipe import Finish, Recipe, draw_finish, draw_recipe, draw_size
from training.simulate import develop, paint

torch = pytest.importorskip("torch", reason="needs the train extra; CI installs it")

from one_device import OneDevice  # noqa: E402

from training.batch_keypoints import cut_patches, detect_batch, equalise, shrink  # noqa: E402
from training.batch_pairs import Bank, SimulatedPairs, _empty, corresponding_batch, make_bank, to_gray  # noqa: E402
from training.batch_simulate import Canvases, Warps, photograph  # noqa: E402
from training.device_report import report  # noqa: E402
from training.train import TrainingSettings, train  # noqa: E402

CPU = torch.device("cpu")
SEEDS = 5
"""Batches of eight recipes, in which every effect occurs."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors gain nothing by more, and lose much where something else runs beside."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def canvases(pictures: list[np.ndarray], side: int = 320) -> Canvases:
    padded = [np.pad(p, ((0, side - p.shape[0]), (0, side - p.shape[1]), (0, 0)), mode="edge") for p in pictures]
    sizes = torch.tensor([[p.shape[1], p.shape[0]] for p in pictures], dtype=torch.float32)
    return Canvases(torch.from_numpy(np.stack(padded)).permute(0, 3, 1, 2).contiguous(), sizes)


def silent(recipe: Recipe) -> Recipe:
    return replace(recipe, lens=replace(recipe.lens, noise=0.0))


def recipes(count: int, *, seed: int, others: int = 2) -> tuple[list[Recipe], list[Finish]]:
    """Of photos of 240 x 320 pictures, without noise."""
    rng = np.random.default_rng(seed)
    size = draw_size(rng, 1.0)
    made = [draw_recipe(rng, picture_size=(240, 320), size=size, others=others, strength=1.0) for _ in range(count)]
    return [silent(recipe) for recipe in made], [draw_finish(rng, 1.0) for _ in range(count)]


def without(recipe: Recipe, finish: Finish) -> Iterator[tuple[str, Recipe, Finish]]:
    """For each effect that a photo has its name, and how the photo is made without it."""
    warp, light, lens = recipe.warp, recipe.light, recipe.lens
    for name, plain in (("waves", np.zeros((0, 4))), ("folds", np.zeros((0, 3)))):
        if len(getattr(warp, name)):
            yield name, replace(recipe, warp=replace(warp, **{name: plain})), finish
    if warp.bend:
        yield "bend", replace(recipe, warp=replace(warp, bend=0.0)), finish
    if recipe.cover is not None:
        yield "skin" if recipe.cover.colour is not None else "cover", replace(recipe, cover=None), finish
    if recipe.background.blur:
        yield "unsharp", replace(recipe, background=replace(recipe.background, blur=0.0)), finish
    for name in ("gradient", "shadow", "glare", "reflection"):
        if getattr(light, name) is not None:
            yield name, replace(recipe, light=replace(light, **{name: None})), finish
    for name, nothing in (("moire", None), ("blur", 0.0), ("motion", None)):
        if getattr(lens, name) is not None and getattr(lens, name) is not nothing and np.any(getattr(lens, name)):
            yield name, replace(recipe, lens=replace(lens, **{name: nothing})), finish
    if finish.smoothing is not None:
        yield finish.smoothing, recipe, replace(finish, smoothing=None)
    if finish.sharpening is not None:
        yield "sharpening", recipe, replace(finish, sharpening=None)


EFFECTS = {"waves", "folds", "bend", "skin", "cover", "unsharp", "gradient", "shadow", "glare", "reflection"}
EFFECTS |= {"moire", "blur", "motion", "median", "bilateral", "sharpening"}


class TestPhotograph:
    @pytest.mark.parametrize("seed", range(SEEDS))
    def test_the_photos_that_opencv_paints(self, seed: int) -> None:
        """Photos by the same recipes differ by a few grey levels; a photo does not depend on those that are taken with
        it."""
        how, finishes = recipes(8, seed=seed)
        photos = self.taken(how, finishes)
        for k in range(8):
            assert self.difference(photos[k], k, how[k], finishes[k]) < 6
        rows = torch.tensor([3])
        around = [canvases(each).take(rows) for each in self.others]
        alone = photograph(canvases(list(self.pictures)).take(rows), around, how[3:4], finishes[3:4], torch.Generator())
        # Blurs reach as far as the widest of a batch needs: numbers may round the other way, and JPEG makes more of it.
        assert np.abs(alone[0].permute(1, 2, 0).numpy() - photos[3]).mean() < 1

    def test_every_effect(self) -> None:
        """With little JPEG, photos with an effect differ less from OpenCV's than from OpenCV's without it, all in all.
        The recipes use every effect; that of photos enlarged is tested below, since OpenCV shrinks them by the factor
        itself, not to whole pixels, and ends up to a pixel aside."""
        sums: dict[str, list[float]] = {}
        for seed in range(SEEDS):
            drawn_how, drawn_finishes = recipes(8, seed=seed)
            how = [replace(recipe, lens=replace(recipe.lens, enlarged=None)) for recipe in drawn_how]
            finishes = [replace(finish, quality=100) for finish in drawn_finishes]
            for k, photo in enumerate(self.taken(how, finishes)):
                same = self.difference(photo, k, how[k], finishes[k])
                for name, recipe, finish in without(how[k], finishes[k]):
                    both = sums.setdefault(name, [0.0, 0.0])
                    both[0] += same
                    both[1] += self.difference(photo, k, recipe, finish)
        assert set(sums) == EFFECTS
        assert {name: both for name, both in sums.items() if both[0] > 0.95 * both[1]} == {}

    pictures = tuple(drawn(k) for k in range(8))
    others = tuple([drawn(20 + 10 * k + i) for i in range(8)] for k in range(2))

    def taken(self, how: list[Recipe], finishes: list[Finish]) -> np.ndarray:
        around = [canvases(each) for each in self.others]
        photos = photograph(canvases(list(self.pictures)), around, how, finishes, torch.Generator())
        return photos.permute(0, 2, 3, 1).numpy()

    def difference(self, photo: np.ndarray, k: int, recipe: Recipe, finish: Finish) -> float:
        """From OpenCV's photo of the same picture."""
        painted = paint(recipe, self.pictures[k], [each[k] for each in self.others])
        return float(np.abs(photo - develop(finish, painted, np.zeros_like(painted))).mean())

    def test_enlarged(self) -> None:
        """A photo that was smaller is as OpenCV makes it smaller and larger again."""
        how, finishes = recipes(1, seed=4)
        lens = replace(how[0].lens, moire=None, blur=0.0, motion=None, enlarged=None)
        plain = [replace(how[0], lens=lens)]
        enlarged = [replace(how[0], lens=replace(lens, enlarged=0.5))]
        finish = [replace(finishes[0], smoothing=None, sharpening=None, quality=100)]
        here = canvases([drawn(1)])
        before, after = (
            photograph(here, [here, here], recipe, finish, torch.Generator())[0].permute(1, 2, 0).numpy()
            for recipe in (plain, enlarged)
        )
        height, width = before.shape[:2]
        small = cv2.resize(before, (round(width / 2), round(height / 2)), interpolation=cv2.INTER_AREA)
        expected = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        assert np.abs(after - expected).mean() < 1
        assert np.abs(after - expected).mean() < 0.5 * np.abs(after - before).mean()

    def test_noise(self) -> None:
        """It has the recipe's strength, and is the same for the same seed."""
        how, finishes = recipes(1, seed=4)
        plain = [replace(how[0], lens=replace(how[0].lens, noise=8.0))]
        finish = [replace(finishes[0], grain=0.0, smoothing=None, sharpening=None, quality=100)]
        grey = canvases([np.full((320, 240, 3), 128, np.uint8)])

        def taken(recipe: list[Recipe], seed: int) -> np.ndarray:
            return photograph(grey, [grey, grey], recipe, finish, torch.Generator().manual_seed(seed)).numpy()

        assert (taken(plain, 1) == taken(plain, 1)).all()
        noise = taken(plain, 1) - taken([silent(plain[0])], 1)
        middle = (np.abs(taken([silent(plain[0])], 1) - 128) < 80) & (np.abs(noise) < 60)
        assert 5 < noise[middle].std() < 9
        grain = [replace(finish[0], grain=0.8)]
        coarse = photograph(grey, [grey, grey], plain, grain, torch.Generator().manual_seed(1)).numpy()
        coarse = np.where(middle, coarse - taken([silent(plain[0])], 1), 0)
        fine = np.where(middle, noise, 0)
        like = [float((n[..., 1:] * n[..., :-1]).mean() / (n**2).mean()) for n in (fine, coarse)]
        assert like[0] < 0.2 < 0.4 < like[1]

    @pytest.mark.parametrize(("bend", "uneven"), [(0.0, NONE), (0.8, NONE), (0.0, WAVES), (0.5, FOLDS)])
    def test_warps(self, bend: float, uneven: tuple[np.ndarray, np.ndarray]) -> None:
        """A batch of warps carries points as each warp by itself does, also beside others with fewer waves and folds;
        what a curved face hides is NaN in both."""
        warps = [some_warp(k, bend=b, uneven=u) for k, (b, u) in enumerate([(bend, uneven), (0.0, NONE), (0.6, WAVES)])]
        xy = np.random.default_rng(0).uniform(0, 400, (3, 500, 2)).astype(np.float32)
        together = Warps.of(warps, CPU).photo_to_picture(torch.from_numpy(xy)).numpy()
        for k, warp in enumerate(warps):
            with np.errstate(invalid="ignore"):
                alone = warp.photo_to_picture(xy[k])
            seen = np.isfinite(alone).all(1)
            assert seen.sum() > 100
            assert (np.isfinite(together[k]).all(1) == seen).all()
            assert together[k][seen] == pytest.approx(alone[seen], abs=0.05)


class TestKeypoints:
    @pytest.mark.parametrize("settings", [PHOTO_DETECTOR, PICTURE_DETECTOR])
    def test_the_engines_keypoints(self, settings: DetectorSettings) -> None:
        """Nine tenths of the engine's keypoints and more are found, at the same places, scales and angles; in a
        blurred photo with the faint threshold."""
        rng = np.random.default_rng(0)
        # Drawn edges are all as good as each other: some grain tells them apart.
        grain = [cv2.GaussianBlur(rng.normal(0, 25, (640, 480)), (0, 0), 1.5) for _ in range(3)]
        plain = [cv2.resize(cv2.cvtColor(drawn(k), cv2.COLOR_RGB2GRAY), (480, 640)) for k in range(3)]
        images = [np.clip(image + noise, 0, 255).astype(np.uint8) for image, noise in zip(plain, grain, strict=True)]
        images[1] = cv2.addWeighted(images[1], 0.15, np.full_like(images[1], 90), 0.85, 0)
        found = detect_batch(torch.from_numpy(np.stack(images)).float(), settings)
        for k, image in enumerate(images):
            expected = detect(image, settings)
            valid = found.valid[k].numpy()
            assert len(expected) > 100
            assert abs(valid.sum() - len(expected)) <= 0.05 * len(expected)
            here = {
                tuple(row): number for number, row in enumerate(_rounded(found.xy[k], found.scale[k])) if valid[number]
            }
            there = list(map(tuple, _rounded(torch.from_numpy(expected.xy), torch.from_numpy(expected.scale))))
            common = [(here[row], number) for number, row in enumerate(there) if row in here]
            assert len(common) > 0.9 * len(expected)
            ours, theirs = np.array(common).T
            turn = found.angle[k].numpy()[ours] - expected.angle[theirs]
            assert np.quantile(np.abs((turn + np.pi) % (2 * np.pi) - np.pi), 0.9) < 0.1

    @pytest.mark.parametrize("size", [(480, 640), (427, 640), (640, 401), (203, 200)])
    def test_contrast(self, size: tuple[int, int]) -> None:
        """Images are equalised as OpenCV does it, whether tiles fit or not; a pixel in a thousand rounds otherwise."""
        rough = np.random.default_rng(0).normal(100, 60, size)
        image = np.clip(cv2.GaussianBlur(rough, (0, 0), 2) * 3 - 150, 0, 255).astype(np.uint8)
        for limit in (1.0, 2.5):
            expected = cv2.createCLAHE(limit, (8, 8)).apply(image)
            difference = np.abs(equalise(torch.from_numpy(image)[None].float(), limit)[0].numpy() - expected)
            assert difference.max() <= 1
            assert difference.mean() < 0.002

    def test_nothing_to_find(self) -> None:
        """A plain image has no keypoints; beside it others keep theirs."""
        plain, one = (
            np.full((200, 200), 50, np.uint8),
            cv2.cvtColor(drawn(1, width=200, height=200), cv2.COLOR_RGB2GRAY),
        )
        found = detect_batch(torch.from_numpy(np.stack([plain, one])).float(), PICTURE_DETECTOR)
        assert not found.valid[0].any()
        assert found.valid[1].sum() > 50

    def test_the_engines_patches(self) -> None:
        """Patches are the engine's, of all levels of scale, from several images at once."""
        images = [cv2.resize(cv2.cvtColor(drawn(k), cv2.COLOR_RGB2GRAY), (360, 480)) for k in range(2)]
        for k, image in enumerate(images):
            points = detect(image, PICTURE_DETECTOR)
            assert len(np.unique(points.scale)) > 5
            cut = cut_patches(
                torch.from_numpy(np.stack(images)).float(),
                torch.full((len(points),), k),
                *(torch.from_numpy(value) for value in (points.xy, points.scale, points.angle)),
            )
            assert np.abs(cut.numpy().astype(int) - extract_patches(image, points)).max() <= 2

    @pytest.mark.parametrize("size", [(100, 77), (161, 161), (1, 1)])
    def test_shrink(self, size: tuple[int, int]) -> None:
        """Images shrink as OpenCV shrinks them."""
        image = cv2.cvtColor(drawn(1), cv2.COLOR_RGB2GRAY)
        expected = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(shrink(torch.from_numpy(image[None]).float(), size)[0].numpy() - expected).max() <= 1


def _rounded(xy: torch.Tensor, scale: torch.Tensor) -> np.ndarray:
    return torch.cat([xy, 100 * scale[:, None]], 1).round().long().numpy()


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
        with pytest.raises(ValueError, match="none of the pictures"):
            make_bank(list_pictures(tmp_path), seed=0, invented=0.0, processes=1)
        (tmp_path / "c.jpg").write_bytes(encode_jpeg(drawn(1), quality=90))
        assert len(make_bank(list_pictures(tmp_path), seed=0, invented=0.0, processes=1)) == 1

    def test_too_many(self) -> None:
        """More pictures than there is memory for are refused with a number, before the system stops the training."""
        with pytest.raises(ValueError, match=r"10000000 pictures need 7864.3 GB of memory, there are .*; give fewer"):
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
        monkeypatch.setattr("training.batch_pairs.ATTEMPTS", 2)
        nowhere = replace(bank, xy=torch.full_like(bank.xy, torch.nan))
        with pytest.raises(ValueError, match="2 batches of photos without a single pair"):
            simulated(nowhere, runs=1)(0, 0.0)

    @pytest.mark.parametrize("seed", range(3))
    def test_the_pairs_of_the_processors(self, bank: Bank, seed: int) -> None:
        """Keypoints of pictures and photos correspond as `training.pairs` has it."""
        rows = torch.arange(3)
        some = bank.take(rows)
        rng = np.random.default_rng(seed)
        size = draw_size(rng, 0.5)
        how = [
            silent(draw_recipe(rng, picture_size=(int(w), int(h)), size=size, others=1, strength=0.5))
            for w, h in some.sizes.tolist()
        ]
        finishes = [draw_finish(rng, 0.5) for _ in how]
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


class TestReport:
    @pytest.mark.slow
    def test_report(self, pictures: Path) -> None:
        """The report compares the painters and the detectors, and tells what a training would wait for."""
        found = report(pictures, pictures=12, batches=1, seed=0)
        assert found["photos"] == 8
        assert 0 < found["difference"][0] <= found["difference"][2] < 8
        assert 0.8 < found["same_keypoints"][2] <= found["same_keypoints"][0] <= 1
        for rates in (found["pairs_per_second"], found["batches_per_second"]):
            assert min(rates.values()) > 0

    def test_nothing(self, tmp_path: Path) -> None:
        """A folder without pictures is told."""
        with pytest.raises(ValueError, match="none of the pictures"):
            report(tmp_path, pictures=3, batches=1, seed=0)
