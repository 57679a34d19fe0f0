"""The reasons of an answer as a drawing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import NotAnImage, PictureNotFound
from engine.image import decode, encode_jpeg
from engine.recognise.answer import Match
from engine.recognise.explain import SIDE, draw
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.answers import assert_answer
from tests.support.drawn import Photo, photo_of, poster

GREEN, ORANGE = (30, 200, 60), (230, 120, 20)
BAND = 66
"""Pixels of the title above photo and picture."""


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_of(poster(4), seed=4, strength=0.2)


@pytest.fixture(scope="module")
def match(posters: Recognizer, photo: Photo) -> Match:
    return assert_answer(posters.recognise(photo.jpeg, ["posters"]), "poster.4", photo)


def pixels_of(png: bytes, colour: tuple[int, int, int]) -> int:
    """How many pixels of the drawing have just this colour."""
    return int((decode(png, long_side=2000)[0] == colour).all(-1).sum())


class TestExplain:
    def test_both_side_by_side(self, posters: Recognizer, photo: Photo, match: Match) -> None:
        """A PNG of photo and picture at 720 pixels beside each other, under a line of text, with the outline."""
        png = posters.explain(photo.jpeg, match)
        height, width = photo.image.shape[:2]
        scale = SIDE / max(height, width)
        drawn, size = decode(png, long_side=2000)
        assert size == (round(width * scale) + 12 + round(SIDE * 3 / 4), BAND + SIDE)
        assert drawn.shape == (size[1], size[0], 3)
        assert pixels_of(png, GREEN) > 500
        assert pixels_of(png, ORANGE) == 0

    def test_the_outline_lies_where_the_picture_is(self, photo: Photo, match: Match) -> None:
        """Its pixels lie on the sides of the quad, moved by the line of text."""
        black = np.zeros_like(photo.image)
        canvas = draw(black, photo.image.shape[1::-1], replace(match, points=match.points[:0]), poster(4))
        rows, columns = np.nonzero((canvas == GREEN).all(-1))
        scale = SIDE / max(photo.image.shape[:2])
        quad = (match.quad + 0.5) * scale - 0.5 + [0, BAND]
        sides = np.roll(quad, -1, axis=0) - quad
        normals = np.stack([-sides[:, 1], sides[:, 0]], 1) / np.linalg.norm(sides, axis=1, keepdims=True)
        points = np.stack([columns, rows], 1)
        distance = np.abs(((points[:, None] - quad) * normals).sum(-1)).min(1)
        assert len(points) > 500
        assert distance.max() < 4

    def test_below_its_threshold(self, posters: Recognizer, photo: Photo, match: Match) -> None:
        """A candidate that is no answer is outlined in another colour."""
        png = posters.explain(photo.jpeg, replace(match, accepted=False))
        assert pixels_of(png, ORANGE) > 500
        assert pixels_of(png, GREEN) == 0

    def test_without_kept_pictures(self, tmp_path: Path) -> None:
        """Where no picture was kept a plain field of its shape stands for it."""
        jpeg = encode_jpeg(poster(1))
        with Recognizer.open(tmp_path, EngineSettings(keep_pictures=False)) as bare:
            bare.add_channel("one")
            bare.add("one", "abc", jpeg)
            png = bare.explain(jpeg, assert_answer(bare.recognise(jpeg, ["one"]), "abc", channel="one"))
        assert decode(png, long_side=2000)[1] == (540 + 12 + 540, BAND + SIDE)

    def test_removed_meanwhile(self, recognizer: Recognizer) -> None:
        """A picture that was removed since is told by its name."""
        jpeg = encode_jpeg(poster(1))
        recognizer.add("one", "abc", jpeg)
        found = assert_answer(recognizer.recognise(jpeg, ["one"]), "abc", channel="one")
        recognizer.remove("one", "abc")
        with pytest.raises(PictureNotFound) as caught:
            recognizer.explain(jpeg, found)
        assert (caught.value.channel, caught.value.identifier) == ("one", "abc")

    def test_what_is_no_photo(self, posters: Recognizer, match: Match) -> None:
        """A photo that cannot be read is refused as everywhere."""
        with pytest.raises(NotAnImage):
            posters.explain(b"text", match)
