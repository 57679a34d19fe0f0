"""Each setting of the engine, and what it changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import (
    ModelError,
)
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.answers import assert_answer
from tests.support.drawn import photo_of, poster


class TestSettings:
    @pytest.mark.parametrize(
        "settings",
        [
            EngineSettings(use_votes=False, exhaustive_up_to=0),
            EngineSettings(use_global=False, exhaustive_up_to=0),
            EngineSettings(exhaustive_up_to=0),
            EngineSettings(threads=1),
            EngineSettings(keep_pictures=False, default_threshold=60),  # geometry alone is seldom as sure as 85
            EngineSettings(second_look=False),
        ],
        ids=["global only", "votes only", "both lists", "one thread", "no kept pictures", "one look"],
    )
    def test_recognises_with(self, tmp_path: Path, settings: EngineSettings) -> None:
        """With either list, one thread, or without kept pictures, posters are recognised and strangers not."""
        with Recognizer.open(tmp_path, replace(settings, tail=4)) as recognizer:
            recognizer.add_channel("posters")
            for seed in range(6):
                recognizer.add("posters", f"poster.{seed}", encode_jpeg(poster(seed)))
            recognizer.index.wait_for_builds()
            for seed in (0, 4, 5):
                photo = photo_of(poster(seed), seed=seed, strength=0.2)
                found = recognizer.recognise(photo.jpeg, ["posters"], k=2)
                assert_answer(found, f"poster.{seed}")
                assert ("structure" in found.results[0].figures) is settings.keep_pictures
            stranger = photo_of(poster(1000), seed=1, strength=0.2)
            assert recognizer.recognise(stranger.jpeg, ["posters"]).answer is None

    def test_a_model_that_is_not_there(self, tmp_path: Path) -> None:
        """A model folder without a card is a ModelError, and the data folder is free again."""
        with pytest.raises(ModelError, match=r"card\.json"):
            Recognizer.open(tmp_path / "data", EngineSettings(model=tmp_path / "nowhere"))
        Recognizer.open(tmp_path / "data").close()

    def test_default_threshold(self, recognizer: Recognizer, tmp_path: Path) -> None:
        """The default can be set for all."""
        assert 0 < recognizer.default_threshold == recognizer.calibration.threshold < 100
        with Recognizer.open(tmp_path / "strict", EngineSettings(default_threshold=100)) as strict:
            strict.add_channel("one")
            strict.add("one", "abc", encode_jpeg(poster(1)))
            assert strict.recognise(encode_jpeg(poster(1)), ["one"]).answer is None
