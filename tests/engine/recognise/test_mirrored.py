"""Photos that a camera has mirrored."""

from __future__ import annotations

import numpy as np

from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from tests.support.answers import assert_answer
from tests.support.drawn import photo_of, poster


def test_asked_for(posters: Recognizer) -> None:
    """A mirrored photo is answered where that was asked for, which is told, with its outline in its own pixels."""
    photo = photo_of(poster(8), seed=8, strength=0.2)
    mirrored = np.ascontiguousarray(photo.image[:, ::-1])
    width = mirrored.shape[1]
    found = posters.recognise(encode_jpeg(mirrored, quality=95), ["posters"], k=3, mirrored=True)
    answer = assert_answer(found, "poster.8")
    assert found.mirrored
    true = photo.corners.copy()
    true[:, 0] = width - 1 - true[:, 0]
    assert np.abs(answer.quad - true).max() < 12
    shown = answer.H_picture_to_photo @ [-0.5, -0.5, 1]
    assert np.abs(shown[:2] / shown[2] - answer.quad[0]).max() < 0.1
    assert sum(found.timings_ms.values()) > 0
    assert posters.explain(encode_jpeg(mirrored), answer).startswith(b"\x89PNG")


def test_a_photo_as_it_is(posters: Recognizer) -> None:
    """What is answered as it is, is not looked at mirrored; nor is a miss told as mirrored."""
    photo = photo_of(poster(8), seed=8, strength=0.2)
    found = posters.recognise(photo.jpeg, ["posters"], mirrored=True)
    assert_answer(found, "poster.8", photo)
    assert not found.mirrored
    missed = posters.recognise(photo_of(poster(1008), seed=3).jpeg, ["posters"], mirrored=True)
    assert (missed.answer, missed.mirrored) == (None, False)
