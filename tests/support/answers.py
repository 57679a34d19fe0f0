"""What a recognition answered, looked at as a whole."""

from __future__ import annotations

import numpy as np

from engine.recognise.answer import Match, Recognition
from tests.support.drawn import Photo


def assert_answer(
    found: Recognition, identifier: str, photo: Photo | None = None, *, channel: str = "posters"
) -> Match:
    """The whole answer: which picture, how sure, and where."""
    assert found.answer is not None
    answer = found.answer
    assert (answer.picture.identifier, answer.picture.channel) == (identifier, channel)
    assert answer.accepted
    assert 0 <= answer.match_ratio <= 100
    assert answer is found.results[0]
    assert answer.inliers == len(answer.points) >= 6
    assert answer.quad.shape == (4, 2)
    assert answer.quad.dtype == np.float32
    if photo is not None:
        assert found.photo_size == (photo.image.shape[1], photo.image.shape[0])
        assert quad_error(answer, photo) < 0.03
    return answer


def quad_error(match: Match, photo: Photo) -> float:
    """Mean distance of the corners from the true ones, as a share of the picture's diagonal in the photo."""
    diagonal = np.linalg.norm(photo.corners[2] - photo.corners[0])
    return float(np.linalg.norm(match.quad - photo.corners, axis=1).mean() / diagonal)


def answered(found: Recognition) -> str | None:
    return found.answer.picture.identifier if found.answer else None
