"""Every picture that a photo shows, each of a place of its own."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from engine.errors import NotAnImage, TooFewFeatures
from engine.image import encode_jpeg
from engine.recognise.several import outside
from engine.recognizer import Recognizer
from engine.values import ColorImage
from tests.support.drawn import flat, poster

SIZE = (1600, 1200)


def wall(*shown: tuple[ColorImage, tuple[int, int], float]) -> bytes:
    """A photo of pictures on a wall: each with its middle and its angle in degrees, 480 pixels high."""
    photo = cv2.GaussianBlur(cv2.resize(poster(900), SIZE), (0, 0), 8)
    for picture, (x, y), angle in shown:
        height, width = picture.shape[:2]
        warp = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 480 / height)
        warp[:, 2] += [x - width / 2, y - height / 2]
        cv2.warpAffine(picture, warp, SIZE, photo, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)
    return encode_jpeg(photo, quality=90)


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    recognizer = Recognizer.open(tmp_path_factory.mktemp("several") / "data")
    recognizer.add_channel("one")
    for seed in range(6):
        recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)))
    return recognizer


def names(recognizer: Recognizer, photo: bytes, *, most: int = 10) -> Sequence[str]:
    return [match.picture.identifier for match in recognizer.recognise_several(photo, ["one"], most=most).results]


PLACES = ((400, 320), (1150, 320), (400, 880), (1150, 880))


def test_four_beside_each_other(recognizer: Recognizer) -> None:
    """Each once, as an answer, with its outline around its own middle; the surest comes first and is the answer."""
    photo = wall(*((poster(seed), at, 10 * seed - 15) for seed, at in enumerate(PLACES)))
    found = recognizer.recognise_several(photo, ["one"])
    assert sorted(match.picture.identifier for match in found.results) == [f"poster.{seed}" for seed in range(4)]
    for match in found.results:
        middle = match.quad.mean(0)
        assert np.abs(middle - PLACES[int(match.picture.identifier[-1])]).max() < 15
        assert match.accepted
    ratios = [match.match_ratio for match in found.results]
    assert ratios == sorted(ratios, reverse=True)
    assert found.answer is found.results[0]
    assert found.photo_size == SIZE
    assert len(names(recognizer, photo, most=2)) == 2


def test_a_stranger_between_them(recognizer: Recognizer) -> None:
    """What is not in the gallery is not named, and hides nobody."""
    photo = wall((poster(0), PLACES[0], 5), (poster(77), PLACES[1], -5), (poster(2), PLACES[3], 10))
    assert sorted(names(recognizer, photo)) == ["poster.0", "poster.2"]


def test_the_same_picture_twice(recognizer: Recognizer) -> None:
    """Two prints of one picture are two places."""
    photo = wall((poster(1), PLACES[0], 5), (poster(1), PLACES[3], -12))
    assert names(recognizer, photo) == ["poster.1", "poster.1"]


def test_one_and_none(recognizer: Recognizer) -> None:
    """One picture is found as it is alone; a photo of none has no answer; the errors are those of `recognise`."""
    assert names(recognizer, wall((poster(3), (800, 600), 8))) == ["poster.3"]
    found = recognizer.recognise_several(wall((poster(78), (800, 600), 8)), ["one"])
    assert (found.answer, found.results) == (None, ())
    with pytest.raises(TooFewFeatures):
        recognizer.recognise_several(encode_jpeg(flat(120)), ["one"])
    with pytest.raises(NotAnImage):
        recognizer.recognise_several(b"no image", ["one"])


def test_copies_compete(recognizer: Recognizer) -> None:
    """A copy of a stored picture is no second picture in the photo: the one that was added first is named."""
    recognizer.add("one", "a.copy", encode_jpeg(poster(5)))
    try:
        assert names(recognizer, wall((poster(5), PLACES[0], 5), (poster(0), PLACES[3], 5))) in (
            ["poster.5", "poster.0"],
            ["poster.0", "poster.5"],
        )
    finally:
        recognizer.remove("one", "a.copy")


def test_outside(recognizer: Recognizer) -> None:
    """Keypoints inside outlines are left out, with all that belongs to them."""
    photo = wall((poster(0), PLACES[0], 0))
    features = recognizer.examine(photo, ["one"]).query.features
    half = np.array([[0, 0], [features.size[0] / 2, 0], [features.size[0] / 2, 2000], [0, 2000]], np.float32)
    left = outside(features, [half])
    assert 0 < len(left.keypoints) < len(features.keypoints)
    assert (left.keypoints.xy[:, 0] > features.size[0] / 2).all()
    assert len(left.descriptors) == len(left.keypoints)
    assert len(outside(features, []).keypoints) == len(features.keypoints)
