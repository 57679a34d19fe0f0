"""From an image to described keypoints: the order of their votes, their weights, the fingerprint of how it is done."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

from engine.describe import features
from engine.describe.features import SHARPNESS, describe_photo, describe_picture, feature_fingerprint, voting_order
from engine.describe.keypoints import DetectorSettings
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


class TestFingerprint:
    """Galleries that 0.1.0 has filled carry these digits: another fingerprint refuses them all."""

    def test_digits(self) -> None:
        """Of the text that 0.1.0 made of its version and its detector (commit 9523883)."""
        text = (
            "(3, DetectorSettings(long_side=480, count=400, fast_threshold=8, faint_threshold=3, faint_below=200, "
            "cells=10, contrast=0.0))"
        )
        assert feature_fingerprint() == hashlib.sha256(text.encode()).hexdigest()[:8] == "57a85454"

    def test_names_in_the_code_are_no_part_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The class of the settings may be renamed, and a setting that it did not have may come with a default."""
        later = dataclasses.make_dataclass(
            "SeekerSettings", [("octaves", int, 8)], bases=(DetectorSettings,), frozen=True, kw_only=True
        )
        monkeypatch.setattr(features, "PICTURE_DETECTOR", later(**vars(features.PICTURE_DETECTOR)))
        assert "SeekerSettings" in repr(features.PICTURE_DETECTOR)
        assert feature_fingerprint() == "57a85454"

    @pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(DetectorSettings)])
    def test_another_way_of_seeking(self, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
        """Whatever decides which keypoints are stored changes it."""
        changed = {field: getattr(features.PICTURE_DETECTOR, field) + 1}
        monkeypatch.setattr(features, "PICTURE_DETECTOR", dataclasses.replace(features.PICTURE_DETECTOR, **changed))
        assert feature_fingerprint() != "57a85454"

    def test_another_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So does the number that is raised when stored features change their meaning."""
        monkeypatch.setattr(features, "FEATURE_VERSION", features.FEATURE_VERSION + 1)
        assert feature_fingerprint() != "57a85454"
