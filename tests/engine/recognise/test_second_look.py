"""Which photos are looked at a second time, and how."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.image import encode_jpeg
from engine.index.ranking import Ranking
from engine.recognise.pipeline import HOPELESS
from engine.recognise.second_look import LEAD, SEEN_PLAINLY, SecondLook, lead, second_look
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.verify.evidence import Candidate, Evidence
from engine.verify.matching import Alignment
from tests.support.answers import answered
from tests.support.drawn import encoded, photo_of, poster


def ranking(*scores: float, copies: int = 0) -> Ranking:
    """Pictures of 50 keypoints; so many of them are copies of the first."""
    rows = [np.arange(50 * n, 50 * n + 50, dtype=np.uint64) for n in range(len(scores))]
    rows = [rows[0] if 1 <= n <= copies else row for n, row in enumerate(rows)]
    records = tuple(np.stack([row, row], 1) for row in rows)
    return Ranking(np.arange(len(scores)), np.array(scores, np.float32), records)


def verified(inliers: int) -> Evidence:
    rows = np.arange(inliers)
    candidate = Candidate(1, 1.0, np.zeros((0, 2), np.uint64), (360, 480))
    return Evidence(candidate, Alignment(np.eye(3), rows, rows, inliers, inliers, 0.5, inliers), {})


def small(seed: int, height: int) -> bytes:
    """The poster, so high, on a patterned table of 1,280 x 960."""
    table = cv2.resize(poster(900_000 + seed), (1280, 960), interpolation=cv2.INTER_CUBIC)
    width = height * 3 // 4
    table[300 : 300 + height, 500 : 500 + width] = cv2.resize(
        poster(seed), (width, height), interpolation=cv2.INTER_AREA
    )
    return encode_jpeg(table, quality=92)


class TestLead:
    def test_ahead_of_the_next(self) -> None:
        """The difference of the logarithms of 1 + the scores; with nothing behind, of 1."""
        assert lead(ranking(9.0, 4.0, 1.0)) == pytest.approx(np.log(2))
        assert lead(ranking(9.0)) == pytest.approx(np.log(10))
        assert lead(ranking(4.0, 4.0)) == 0

    @pytest.mark.parametrize("copies", [1, 3])
    def test_copies_do_not_compete(self, copies: int) -> None:
        """The same picture, added again, is no rival."""
        scores = [9.0] * (1 + copies)
        assert lead(ranking(*scores, 4.0, copies=copies)) == pytest.approx(np.log(2))
        assert lead(ranking(*scores, copies=copies)) == pytest.approx(np.log(10))


class TestSecondLook:
    def test_nothing_to_find(self) -> None:
        """Channels without pictures are searched once."""
        assert second_look(ranking(), []) is SecondLook.NONE

    def test_far_ahead(self) -> None:
        """What stands far ahead of all others is looked at closely, however much of it was seen."""
        ahead = ranking(30.0, 4.0)
        assert lead(ahead) > LEAD
        assert second_look(ahead, []) is second_look(ahead, [verified(200)]) is SecondLook.CLOSER

    def test_seen_plainly(self) -> None:
        """What was seen plainly and has sisters stays as it is."""
        sisters = ranking(30.0, 28.0)
        assert second_look(sisters, [verified(8), verified(SEEN_PLAINLY)]) is SecondLook.NONE
        assert second_look(sisters, [verified(SEEN_PLAINLY - 1)]) is SecondLook.DISTANT

    def test_nothing_seen(self) -> None:
        """Where nothing stands out, the picture may be too small to be seen."""
        assert second_look(ranking(3.5, 3.4, 3.4), []) is SecondLook.DISTANT


def filled(folder: Path, settings: EngineSettings) -> Recognizer:
    made = Recognizer.open(folder, settings)
    made.add_channel("one")
    for seed in range(4):
        made.add("one", f"poster.{seed}", encode_jpeg(poster(seed)))
    return made


class TestPhotos:
    def test_small_pictures(self, tmp_path: Path, posters: Recognizer) -> None:
        """Pictures that are too small for the first look are found by the second."""
        with filled(tmp_path, EngineSettings(second_look=False)) as one_look:
            assert [answered(one_look.recognise(small(seed, 220), ["one"])) for seed in range(4)] == [None] * 4
        found = [posters.recognise(small(seed, 220), ["posters"]) for seed in range(4)]
        assert [answered(one) for one in found] == [f"poster.{seed}" for seed in range(4)]

    def test_a_stranger(self, posters: Recognizer) -> None:
        """A photo of nothing in the gallery is looked at twice, and stays without an answer."""
        photo = encode_jpeg(photo_of(poster(1001), seed=1, strength=0.3).image)
        examined = posters.examine(photo, ["posters"])
        assert second_look(examined.ranking, examined.found) is SecondLook.DISTANT
        assert answered(posters.recognise(photo, ["posters"])) is None

    def test_hopeless_candidates(self, posters: Recognizer) -> None:
        """Candidates of which hardly a match agrees are not verified; there were some."""
        photos = [encode_jpeg(photo_of(poster(1001 + seed), seed=seed, strength=0.3).image) for seed in range(4)]
        examined = [posters.examine(photo, ["posters"]) for photo in photos]
        assert any((one.ranking.scores[:8] <= HOPELESS).any() for one in examined)
        assert all(e.candidate.rank_score > HOPELESS for one in examined for e in one.found)

    def test_an_empty_channel(self, recognizer: Recognizer) -> None:
        """A search of nothing is made once: the photo is seen at the first look's 640 pixels."""
        examined = recognizer.examine(small(1, 220), ["one"])
        assert max(examined.image.shape) == 640
        assert examined.found == []

    def test_too_blurred_for_the_second(self, tmp_path: Path) -> None:
        """Where the finest levels show too little, what the first look found stands; it is no error."""
        blurred = encoded(cv2.GaussianBlur(photo_of(poster(2), seed=2, strength=0.2).image, (0, 0), 20), ".png")
        with filled(tmp_path, EngineSettings(min_keypoints=60)) as made:
            examined = made.examine(blurred, ["one"])
            assert max(examined.image.shape) == 640
            assert second_look(examined.ranking, examined.found) is SecondLook.DISTANT
            assert made.recognise(blurred, ["one"]).answer is None
