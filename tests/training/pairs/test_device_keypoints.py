"""Keypoints and patches by PyTorch, against the engine's. Needs torch."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.describe.keypoints import PHOTO_DETECTOR, PICTURE_DETECTOR, DetectorSettings, detect
from engine.describe.patches import extract_patches
from tests.support.training_pictures import drawn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
pytest.importorskip("kornia", reason="kornia is not installed: pip install 'obverse[train]'")


from training.pairs.device_keypoints import cut_patches, detect_batch, equalise, shrink  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


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
