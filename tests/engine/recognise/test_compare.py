"""A photo and one picture, without a gallery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import NotAnImage, PictureNotFound, TooFewFeatures
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.answers import assert_answer
from tests.support.drawn import flat, photo_of, poster


def test_given_or_stored(recognizer: Recognizer) -> None:
    """One ratio, outline and reason, whether the picture is given, stored in a large gallery, or alone in one."""
    for seed in range(4):
        recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)))
    picture = recognizer.get("one", "poster.2")
    photo = photo_of(poster(2), seed=5, strength=0.5)
    stored = recognizer.compare(picture, photo.jpeg)
    given = recognizer.compare(recognizer.describe(encode_jpeg(poster(2))), photo.jpeg)
    answer = assert_answer(stored, "poster.2", photo, channel="one")
    for name in ("poster.0", "poster.1", "poster.3"):
        recognizer.remove("one", name)
    alone = recognizer.recognise(photo.jpeg, ["one"])
    for other in (given, alone):
        assert other.answer is not None
        assert other.answer.match_ratio == answer.match_ratio
        assert other.answer.figures == pytest.approx(answer.figures)
        np.testing.assert_allclose(other.answer.quad, answer.quad, atol=1e-3)
    assert given.answer is not None
    assert (given.answer.picture.id, given.answer.picture.identifier) == (0, "")
    assert given.answer.picture.width == 360


def test_the_stored_threshold(recognizer: Recognizer) -> None:
    """A picture's own threshold holds; a hidden one can be compared with."""
    recognizer.add("one", "poster.2", encode_jpeg(poster(2)), threshold=100.0, active=False)
    found = recognizer.compare(recognizer.get("one", "poster.2"), photo_of(poster(2), seed=5, strength=0.5).jpeg)
    assert found.answer is None
    assert 50 < found.results[0].match_ratio < 100


def test_another_picture(recognizer: Recognizer) -> None:
    prepared = recognizer.describe(encode_jpeg(poster(2)))
    found = recognizer.compare(prepared, photo_of(poster(7), seed=5).jpeg)
    assert found.answer is None
    drawn = recognizer.compare(prepared, encode_jpeg(poster(2)))
    assert drawn.answer is not None
    png = recognizer.explain(encode_jpeg(poster(2)), drawn.answer, picture=prepared)
    assert png.startswith(b"\x89PNG")


def test_refused(recognizer: Recognizer) -> None:
    """What is no image, shows nothing, or was removed."""
    added = recognizer.add("one", "poster.2", encode_jpeg(poster(2)))
    for photo, error in ((b"text", NotAnImage), (encode_jpeg(flat()), TooFewFeatures)):
        with pytest.raises(error):
            recognizer.compare(added, photo)
    recognizer.remove("one", "poster.2")
    with pytest.raises(PictureNotFound):
        recognizer.compare(added, encode_jpeg(poster(2)))


def test_without_kept_pictures(tmp_path: Path) -> None:
    """By geometry alone, and by ORB's bits, where a gallery keeps nothing else."""
    settings = EngineSettings(keep_pictures=False, store_orb=True, verifier="orb")
    photo = photo_of(poster(2), seed=5, strength=0.25).jpeg
    with Recognizer.open(tmp_path / "data", settings) as recognizer:
        recognizer.add_channel("one")
        added = recognizer.add("one", "poster.2", encode_jpeg(poster(2)))
        given = recognizer.compare(recognizer.describe(encode_jpeg(poster(2))), photo)
        found = recognizer.compare(added, photo)
        alone = recognizer.recognise(photo, ["one"])
    assert given.results[0].cells is None
    ratios = {one.results[0].match_ratio for one in (given, found, alone)}
    assert len(ratios) == 1, ratios
