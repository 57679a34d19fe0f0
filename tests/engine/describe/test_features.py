"""From an image to described keypoints: the order of their votes, their weights, the fingerprint of how it is done."""

from __future__ import annotations

import numpy as np
import pytest

from engine.describe.features import SHARPNESS, describe_photo, describe_picture, voting_order
from engine.describe.patch_model import PatchModel
from engine.describe.repeatability import found_again
from tests.support.drawn import poster


class TestVotingOrder:
    @pytest.mark.parametrize("count", [0, 1, 400])
    def test_a_permutation(self, count: int) -> None:
        """Every keypoint comes once, in the same order every time."""
        probability = np.random.default_rng(1).random(count)
        order = voting_order(probability)
        assert sorted(order) == list(range(count))
        assert (order == voting_order(probability)).all()

    def test_likely_ones_come_first(self) -> None:
        """Of two kinds, the likelier is drawn first as often as the power of its odds says; the unlikely ones are
        not shut out."""
        probability = np.repeat([0.8, 0.4], 4000)[np.random.default_rng(2).permutation(8000)]
        first = probability[voting_order(probability)][:1000]
        odds = (first == 0.8).sum() / (first == 0.4).sum()
        assert odds == pytest.approx(2**SHARPNESS, rel=0.25)

    def test_impossible_ones_come_last(self) -> None:
        """A probability of nought is no trouble."""
        probability = np.array([0.0, 0.9, 0.0, 0.5])
        assert set(voting_order(probability)[:2]) == {1, 3}


class TestDescribedPicture:
    def test_weights_go_with_their_keypoints(self, patch_model: PatchModel) -> None:
        """A picture's keypoints stand in the order of the draw, each with its own chance as its weight; a photo's
        have none."""
        found = describe_picture(poster(3), patch_model)
        assert found.weights is not None
        again = found_again(found.keypoints, found.size, patch_model.vocabulary.repeatability)
        assert found.weights.dtype == np.float32
        assert np.corrcoef(found.weights, again)[0, 1] > 0.999
        assert found.weights[:100].mean() > found.weights[100:].mean()
        assert describe_photo(poster(3), patch_model).weights is None
