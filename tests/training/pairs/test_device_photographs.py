"""Photos by PyTorch, against OpenCV's. Needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.support.training_pictures import FOLDS, NONE, WAVES, drawn, some_warp
from training.simulation.photographs import develop, paint
from training.simulation.recipe import Finish, Recipe, draw_batch, draw_size

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
pytest.importorskip("kornia", reason="kornia is not installed: pip install 'obverse[train]'")


from training.pairs.device_photographs import Canvases, Warps, photograph  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
SEEDS = 5
"""Batches of eight recipes, in which every effect occurs."""


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
    made, finishes = draw_batch(rng, [(240, 320)] * count, [1.0] * count, size=size, others=others)
    return [silent(recipe) for recipe in made], finishes


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
