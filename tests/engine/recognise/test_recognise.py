"""A photo's whole path, on drawn posters and simulated photos."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.image import encode_jpeg
from engine.recognise.answer import Recognition
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.answers import answered, assert_answer
from tests.support.drawn import POSTERS, Photo, encoded, photo_of, poster


class TestRecognise:
    @pytest.mark.parametrize("seed", range(0, POSTERS, 2))
    def test_easy_photos(self, posters: Recognizer, seed: int) -> None:
        """Posters are recognised in moderate photos, and flat ones are found where they lie."""
        photo = photo_of(poster(seed), seed=seed, strength=0.25)
        found = posters.recognise(photo.jpeg, ["posters"])
        assert_answer(found, f"poster.{seed}", photo if photo.warp.flat else None)

    def test_harder_photos(self, posters: Recognizer) -> None:
        """Of 16 photos with strong tilt, glare, blur and things in front 14 or more are recognised; none is
        answered wrongly."""
        answers = [answered(posters.recognise(hard(s).jpeg, ["posters"])) for s in range(16)]
        right = [a == f"poster.{s}" for s, a in enumerate(answers)]
        assert sum(right) >= 14
        assert all(ok or a is None for ok, a in zip(right, answers, strict=True))

    @pytest.mark.parametrize("seed", range(10))
    def test_strangers(self, posters: Recognizer, seed: int) -> None:
        """A photo of something else gets no answer, and that is no error."""
        photo = photo_of(poster(1000 + seed), seed=seed, strength=0.3)
        found = posters.recognise(photo.jpeg, ["posters"], k=5)
        assert found.answer is None
        assert all(not m.accepted or m is not found.results[0] for m in found.results)

    def test_the_picture_itself(self, posters: Recognizer) -> None:
        """The stored file itself is recognised, outline and all."""
        picture = poster(3)
        corners = np.array([[0, 0], [360, 0], [360, 480], [0, 480]]) - 0.5
        answer = assert_answer(posters.recognise(encode_jpeg(picture), ["posters"]), "poster.3")
        assert np.abs(answer.quad - corners).max() < 4
        assert answer.match_ratio > 90

    @pytest.mark.parametrize("quarters", [1, 2, 3])
    def test_turned_photos(self, posters: Recognizer, quarters: int) -> None:
        """A photo may stand on its head."""
        photo = photo_of(poster(8), seed=8, strength=0.2)
        data = encode_jpeg(np.ascontiguousarray(np.rot90(photo.image, quarters)))
        assert_answer(posters.recognise(data, ["posters"]), "poster.8")

    def test_mirrored(self, posters: Recognizer) -> None:
        """A mirrored picture is not the picture."""
        photo = photo_of(np.ascontiguousarray(poster(8)[:, ::-1]), seed=8, strength=0.2)
        assert posters.recognise(photo.jpeg, ["posters"]).answer is None

    def test_exif_orientation(self, posters: Recognizer) -> None:
        """The outline is told in pixels of the upright photo."""
        photo = photo_of(poster(9), seed=9, strength=0.2)
        exif = Image.Exif()
        exif[0x0112] = 6
        stored = io.BytesIO()
        Image.fromarray(np.rot90(photo.image, 1)).save(stored, "JPEG", quality=92, exif=exif.tobytes())
        assert_answer(posters.recognise(stored.getvalue(), ["posters"]), "poster.9", photo)

    def test_a_large_photo(self, posters: Recognizer) -> None:
        """A photo of twelve megapixels gives the same outline, in its own pixels."""
        photo = photo_of(poster(10), seed=10, strength=0.2)
        factor = 4000 / max(photo.image.shape[:2])
        large = cv2.resize(photo.image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        found = posters.recognise(encode_jpeg(large), ["posters"])
        answer = assert_answer(found, "poster.10")
        assert found.photo_size == (large.shape[1], large.shape[0])
        true = (photo.corners + 0.5) * factor - 0.5
        assert np.abs(answer.quad - true).max() < 0.03 * 4000

    def test_small_in_the_photo(self, posters: Recognizer) -> None:
        """A picture that fills a small part of the photo is found too."""
        table = np.full((960, 1280, 3), 120, np.uint8)
        table[400:720, 700:940] = cv2.resize(poster(11), (240, 320), interpolation=cv2.INTER_AREA)
        answer = assert_answer(posters.recognise(encode_jpeg(table), ["posters"]), "poster.11")
        assert np.abs(answer.quad - [[700, 400], [940, 400], [940, 720], [700, 720]]).max() < 15

    def test_results(self, posters: Recognizer) -> None:
        """At most k candidates are listed, best first, the answer among them; each with its reasons."""
        photo = photo_of(poster(12), seed=12, strength=0.25)
        for k in (1, 2, 5):
            found = posters.recognise(photo.jpeg, ["posters"], k=k)
            ratios = [m.match_ratio for m in found.results]
            assert 1 <= len(ratios) <= k
            assert ratios == sorted(ratios, reverse=True)
        figures = found.results[0].figures
        assert {"inliers", "share", "spread", "structure", "colour", "hue"} <= set(figures)
        assert np.isfinite(list(figures.values())).all()

    def test_timings(self, posters: Recognizer) -> None:
        """The answer tells how long each stage took."""
        found = posters.recognise(photo_of(poster(1), seed=1, strength=0.2).jpeg, ["posters"])
        assert {"decode", "describe", "shortlist", "rank", "verify", "look"} <= set(found.timings_ms)
        assert all(v >= 0 for v in found.timings_ms.values())

    def test_points(self, posters: Recognizer) -> None:
        """The inliers are pairs of photo and picture points that the outline's homography joins."""
        photo = photo_of(poster(13), seed=13, strength=0.2)
        answer = assert_answer(posters.recognise(photo.jpeg, ["posters"]), "poster.13", photo)
        frame = np.array([[0, 0], [360, 0], [360, 480], [0, 480]], np.float32) - 0.5
        H = cv2.getPerspectiveTransform(frame, answer.quad)
        projected = cv2.perspectiveTransform(answer.points[None, :, 1], H)[0]
        assert np.linalg.norm(projected - answer.points[:, 0], axis=1).max() < 10

    def test_outline_of_a_framed_picture(self, recognizer: Recognizer) -> None:
        """The outline is that of the picture without its margins, wherever the photo shows it."""
        framed = cv2.copyMakeBorder(poster(2), 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        recognizer.add("one", "framed", encoded(framed, ".png"))
        photo = photo_of(poster(2), seed=2, strength=0.2)
        assert_answer(recognizer.recognise(photo.jpeg, ["one"]), "framed", photo, channel="one")

    def test_same_every_time(self, tmp_path: Path) -> None:
        """The same photo gives the same answer to the bit, now and after the gallery was opened anew."""
        photos = [photo_of(poster(s), seed=s, strength=0.6).jpeg for s in range(4)]
        with Recognizer.open(tmp_path) as made:
            made.add_channel("posters")
            for seed in range(6):
                made.add("posters", f"poster.{seed}", encode_jpeg(poster(seed)))
            first = [signature(made.recognise(p, ["posters"], k=3)) for p in photos]
            assert [signature(made.recognise(p, ["posters"], k=3)) for p in photos] == first
        with Recognizer.open(tmp_path) as again:
            assert [signature(again.recognise(p, ["posters"], k=3)) for p in photos] == first
        with Recognizer.open(tmp_path, EngineSettings(threads=1)) as alone:
            assert [signature(alone.recognise(p, ["posters"], k=3)) for p in photos] == first


def hard(seed: int) -> Photo:
    return photo_of(poster(seed), seed=seed, strength=0.6)


def signature(found: Recognition) -> list[tuple[str, float, bytes, int]]:
    return [(m.picture.identifier, m.match_ratio, m.quad.tobytes(), m.inliers) for m in found.results]


class TestNothingToFind:
    def test_no_channels(self, posters: Recognizer) -> None:
        """In no channel nothing is found."""
        found = posters.recognise(encode_jpeg(poster(1)), [], k=3)
        assert (found.answer, found.results) == (None, ())

    def test_an_empty_channel(self, recognizer: Recognizer) -> None:
        """Nor in an empty one."""
        assert recognizer.recognise(encode_jpeg(poster(1)), ["one"]).answer is None
