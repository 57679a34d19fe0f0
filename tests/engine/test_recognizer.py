"""The front door, end to end on drawn posters and simulated photos."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.errors import (
    ChannelExists,
    ChannelNotFound,
    DataFolderLocked,
    IdentifierTaken,
    ImageTooSmall,
    InvalidValue,
    ModelError,
    ModelMismatch,
    NotAnImage,
    PictureNotFound,
    TooFewFeatures,
)
from engine.image import encode_jpeg
from engine.recognise.answer import Match, Recognition
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.drawn import Photo, encoded, flat, photo_of, poster

POSTERS = 30


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


class TestRefusals:
    def test_featureless(self, recognizer: Recognizer) -> None:
        """A plain picture cannot be added, a plain photo cannot be recognised; nothing is stored."""
        with pytest.raises(TooFewFeatures) as caught:
            recognizer.add("one", "plain", encoded(flat(), ".png"))
        assert caught.value.actual < caught.value.minimum == 20
        with pytest.raises(TooFewFeatures):
            recognizer.recognise(encoded(flat(), ".png"), ["one"])
        assert recognizer.catalogue.counts() == {"one": 0}
        assert recognizer.catalogue.last_seq() == 0

    def test_bad_images(self, recognizer: Recognizer) -> None:
        """What cannot be decoded is refused with its own error, for pictures and photos."""
        for data, error in ((b"text", NotAnImage), (encoded(flat(20), ".png"), ImageTooSmall)):
            with pytest.raises(error):
                recognizer.add("one", "abc", data)
            with pytest.raises(error):
                recognizer.recognise(data, ["one"])
        assert recognizer.list("one") == []

    def test_thin_pictures(self, recognizer: Recognizer) -> None:
        """A picture hundreds of times as long as wide has no features at its working size."""
        thin = np.random.default_rng(0).integers(0, 256, (32, 16_000, 3), np.uint8)
        with pytest.raises(TooFewFeatures):
            recognizer.add("one", "thin", encoded(thin, ".png"))

    @pytest.mark.parametrize("identifier", ["", "ab", "a" * 51, "a b c", "ä.b", "a/b", "abc\n", "../abc"])
    def test_identifiers(self, recognizer: Recognizer, identifier: str) -> None:
        """Identifiers are 3 to 50 of A-Z a-z 0-9 @ _ . only."""
        with pytest.raises(InvalidValue) as caught:
            recognizer.add("one", identifier, encode_jpeg(poster(1)))
        assert caught.value.name == "identifier"

    @pytest.mark.parametrize("name", ["", "a" * 65, "a b", "a/b", "ä", "abc\n"])
    def test_channel_names(self, recognizer: Recognizer, name: str) -> None:
        """Channel names are 1 to 64 of A-Z a-z 0-9 @ _ . - only."""
        with pytest.raises(InvalidValue):
            recognizer.add_channel(name)

    @pytest.mark.parametrize("threshold", [-0.1, 100.1, float("nan"), float("inf")])
    def test_thresholds(self, recognizer: Recognizer, threshold: float) -> None:
        """A threshold is a number from 0 to 100."""
        with pytest.raises(InvalidValue) as caught:
            recognizer.add("one", "abc", encode_jpeg(poster(1)), threshold=threshold)
        assert caught.value.name == "threshold"

    def test_metadata(self, recognizer: Recognizer) -> None:
        """Metadata has at most two million bytes, whatever its letters."""
        with pytest.raises(InvalidValue):
            recognizer.add("one", "abc", encode_jpeg(poster(1)), metadata="ä" * 1_000_001)
        assert len(recognizer.add("one", "abc", encode_jpeg(poster(1)), metadata="ä" * 10**6).metadata) == 10**6

    def test_channels_and_pictures(self, recognizer: Recognizer) -> None:
        """Unknown and taken names are told."""
        jpeg = encode_jpeg(poster(1))
        recognizer.add("one", "abc", jpeg)
        with pytest.raises(IdentifierTaken):
            recognizer.add("one", "abc", jpeg)
        with pytest.raises(ChannelExists):
            recognizer.add_channel("one")
        with pytest.raises(PictureNotFound):
            recognizer.get("one", "xyz")
        with pytest.raises(PictureNotFound):
            recognizer.update("one", "xyz", metadata="")
        for call in (
            lambda: recognizer.add("none", "abc", jpeg),
            lambda: recognizer.recognise(jpeg, ["one", "none"]),
            lambda: recognizer.remove("none", "abc"),
            lambda: recognizer.list("none"),
        ):
            with pytest.raises(ChannelNotFound):
                call()

    def test_no_channels(self, posters: Recognizer) -> None:
        """In no channel nothing is found."""
        found = posters.recognise(encode_jpeg(poster(1)), [], k=3)
        assert (found.answer, found.results) == (None, ())

    def test_an_empty_channel(self, recognizer: Recognizer) -> None:
        """Nor in an empty one."""
        assert recognizer.recognise(encode_jpeg(poster(1)), ["one"]).answer is None


class TestChanges:
    def test_life_of_a_picture(self, recognizer: Recognizer) -> None:
        """Added, found, changed, hidden, shown, removed: each takes effect with the next photo."""
        photo = photo_of(poster(1), seed=1, strength=0.2).jpeg
        added = recognizer.add("one", "abc", encode_jpeg(poster(1)), metadata="m", facts={"a": 1})
        assert recognizer.get("one", "abc") == added
        assert_answer(recognizer.recognise(photo, ["one"]), "abc", channel="one")
        assert recognizer.update("one", "abc", metadata="n").metadata == "n"
        recognizer.update("one", "abc", active=False)
        assert recognizer.recognise(photo, ["one"], k=5).results == ()
        recognizer.update("one", "abc", active=True, identifier="xyz")
        assert_answer(recognizer.recognise(photo, ["one"]), "xyz", channel="one")
        assert recognizer.remove("one", "xyz") is True
        assert recognizer.remove("one", "xyz") is False
        assert recognizer.recognise(photo, ["one"], k=5).results == ()

    def test_added_inactive(self, recognizer: Recognizer) -> None:
        """A picture may be added hidden."""
        recognizer.add("one", "abc", encode_jpeg(poster(1)), active=False)
        assert recognizer.recognise(encode_jpeg(poster(1)), ["one"]).answer is None

    def test_thresholds(self, recognizer: Recognizer) -> None:
        """A picture's own threshold decides instead of the default; what does not reach it is still listed."""
        photo = encode_jpeg(poster(1))
        recognizer.add("one", "abc", encode_jpeg(poster(1)), threshold=100)
        found = recognizer.recognise(photo, ["one"])
        assert found.answer is None
        assert [(m.picture.identifier, m.accepted) for m in found.results] == [("abc", False)]
        for threshold in (0.0, found.results[0].match_ratio - 0.1, None):
            recognizer.update("one", "abc", threshold=threshold)
            assert_answer(recognizer.recognise(photo, ["one"]), "abc", channel="one")

    def test_default_threshold(self, recognizer: Recognizer, tmp_path: Path) -> None:
        """The default can be set for all."""
        assert 0 < recognizer.default_threshold == recognizer.calibration.threshold < 100
        with Recognizer.open(tmp_path / "strict", EngineSettings(default_threshold=100)) as strict:
            strict.add_channel("one")
            strict.add("one", "abc", encode_jpeg(poster(1)))
            assert strict.recognise(encode_jpeg(poster(1)), ["one"]).answer is None

    def test_what_is_stored(self, recognizer: Recognizer) -> None:
        """A picture's size is told without its plain margins; it takes at most 12 KB beside its rendition."""
        framed = cv2.copyMakeBorder(poster(2), 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        picture = recognizer.add("one", "framed", encoded(framed, ".png"))
        assert (picture.width, picture.height) == (360, 480)
        _, _, _, keypoints, vector = recognizer.catalogue.features([picture.id])[0]
        assert len(keypoints) == 16 * picture.keypoints
        assert len(keypoints) + len(vector) <= 12 * 1024
        large = cv2.resize(poster(2), (1440, 1920))
        picture = recognizer.add("one", "large", encode_jpeg(large))
        assert (picture.width, picture.height) == (1440, 1920)
        kept = recognizer.catalogue.rendition(picture.id)
        assert kept is not None
        assert max(cv2.imdecode(np.frombuffer(kept, np.uint8), cv2.IMREAD_COLOR).shape) == 640

    def test_outline_of_a_framed_picture(self, recognizer: Recognizer) -> None:
        """The outline is that of the picture without its margins, wherever the photo shows it."""
        framed = cv2.copyMakeBorder(poster(2), 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        recognizer.add("one", "framed", encoded(framed, ".png"))
        photo = photo_of(poster(2), seed=2, strength=0.2)
        assert_answer(recognizer.recognise(photo.jpeg, ["one"]), "framed", photo, channel="one")


def labelled(seed: int, text: str, *, colour: tuple[int, int, int] = (250, 250, 245)) -> np.ndarray:
    """One of a series: the same poster with another word, or another colour, on its label."""
    image = poster(seed).copy()
    cv2.rectangle(image, (90, 180), (270, 260), colour, -1)
    cv2.putText(image, text, (96, 240), cv2.FONT_HERSHEY_DUPLEX, 2, (20, 20, 20), 3)
    return image


SERIES = {
    "word": (lambda seed: labelled(seed, "GOLD"), lambda seed: labelled(seed, "MILD")),
    "colour": (
        lambda seed: labelled(seed, "SALT", colour=(225, 60, 50)),
        lambda seed: labelled(seed, "SALT", colour=(70, 170, 80)),
    ),
}


class TestLookAlikes:
    @pytest.mark.parametrize("kind", SERIES)
    def test_never_confidently_wrong(self, recognizer: Recognizer, kind: str) -> None:
        """Of two pictures that differ in one label the photo's own is the answer, or none; both are listed."""
        wrong, right = [], 0
        for seed in range(4):
            for member, draw in zip("ab", SERIES[kind], strict=True):
                recognizer.add("one", f"{kind}.{seed}.{member}", encode_jpeg(draw(seed)))
        for seed in range(4):
            for member, draw in zip("ab", SERIES[kind], strict=True):
                photo = photo_of(draw(seed), seed=seed * 2 + 1, strength=0.25)
                found = recognizer.recognise(photo.jpeg, ["one"], k=3)
                listed = {m.picture.identifier for m in found.results}
                assert {f"{kind}.{seed}.a", f"{kind}.{seed}.b"} <= listed
                if answered(found) == f"{kind}.{seed}.{member}":
                    right += 1
                elif found.answer is not None:
                    wrong.append((seed, member, found.answer.match_ratio))
        assert wrong == []
        assert right >= 1

    def test_a_stranger_of_the_series(self, recognizer: Recognizer) -> None:
        """A third member of a series, which was never added, is not taken for one that was."""
        for seed in range(3):
            recognizer.add("one", f"gold.{seed}", encode_jpeg(labelled(seed, "GOLD")))
        for seed in range(3):
            stranger = poster(500 + seed).copy()
            stranger[:120] = labelled(seed, "GOLD")[:120]
            photo = photo_of(stranger, seed=seed, strength=0.2)
            assert recognizer.recognise(photo.jpeg, ["one"]).answer is None


class TestTwins:
    def test_added_twice(self, recognizer: Recognizer) -> None:
        """The same picture twice in a channel: the one added first answers, the other stands in the list, and
        neither takes from the other's match ratio."""
        photo = photo_of(poster(1), seed=1, strength=0.25)
        recognizer.add("one", "first", encode_jpeg(poster(1)))
        alone = recognizer.recognise(photo.jpeg, ["one"])
        recognizer.add("one", "second", encode_jpeg(poster(1)))
        found = recognizer.recognise(photo.jpeg, ["one"], k=3)
        answer = assert_answer(found, "first", photo, channel="one")
        assert [m.picture.identifier for m in found.results] == ["first", "second"]
        assert alone.answer is not None
        assert answer.match_ratio == pytest.approx(alone.answer.match_ratio, abs=0.5)

    def test_in_two_channels(self, recognizer: Recognizer) -> None:
        """In two channels likewise; and each channel alone answers with its own."""
        recognizer.add_channel("two")
        recognizer.add("two", "older", encode_jpeg(poster(1)))
        recognizer.add("one", "newer", encode_jpeg(poster(1)))
        photo = photo_of(poster(1), seed=1, strength=0.25)
        for channels in (["one", "two"], ["two", "one"]):
            assert_answer(recognizer.recognise(photo.jpeg, channels), "older", photo, channel="two")
        assert_answer(recognizer.recognise(photo.jpeg, ["one"]), "newer", photo, channel="one")
        recognizer.remove("two", "older")
        assert_answer(recognizer.recognise(photo.jpeg, ["one", "two"]), "newer", photo, channel="one")

    def test_many_copies(self, recognizer: Recognizer) -> None:
        """Ten copies are no more trouble than two."""
        for n in range(10):
            recognizer.add("one", f"copy.{n}", encode_jpeg(poster(1)))
        photo = photo_of(poster(1), seed=1, strength=0.25)
        assert_answer(recognizer.recognise(photo.jpeg, ["one"]), "copy.0", photo, channel="one")

    @pytest.mark.parametrize("how", ["another quality", "another size"])
    def test_stored_from_another_file(self, recognizer: Recognizer, how: str) -> None:
        """The same picture from two files: whichever of them resembles the photo more, there is an answer."""
        recognizer.add("one", "first", encode_jpeg(poster(1), quality=95))
        other = poster(1) if how == "another quality" else cv2.resize(poster(1), (540, 720))
        recognizer.add("one", "second", encode_jpeg(other, quality=75))
        photo = photo_of(poster(1), seed=1, strength=0.25)
        found = recognizer.recognise(photo.jpeg, ["one"])
        assert answered(found) in ("first", "second")
        assert quad_error(found.results[0], photo) < 0.03


class TestChannels:
    def test_several_at_once(self, recognizer: Recognizer) -> None:
        """One call searches several channels, and the answer names the right one; others are not searched."""
        for n, name in enumerate(["two", "three", "four"]):
            recognizer.add_channel(name)
            for seed in range(3):
                recognizer.add(name, f"poster.{n * 3 + seed}", encode_jpeg(poster(n * 3 + seed)))
        for seed, name in ((0, "two"), (4, "three"), (8, "four")):
            photo = photo_of(poster(seed), seed=seed, strength=0.25)
            found = recognizer.recognise(photo.jpeg, ["one", "two", "three", "four", "two"])
            assert_answer(found, f"poster.{seed}", channel=name)
            others = [c for c in ("one", "two", "three", "four") if c != name]
            assert recognizer.recognise(photo.jpeg, others).answer is None

    def test_list(self, recognizer: Recognizer) -> None:
        """Pictures are listed by identifier, in pages."""
        for seed in (2, 0, 1):
            recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)))
        assert [p.identifier for p in recognizer.list("one")] == ["poster.0", "poster.1", "poster.2"]
        assert [p.identifier for p in recognizer.list("one", offset=1, limit=1)] == ["poster.1"]

    def test_info(self, posters: Recognizer) -> None:
        """Counts, sizes and states are told."""
        info = posters.info()
        assert info["channels"] == {"posters": POSTERS}
        assert info["pictures"] == POSTERS
        assert info["model"] == posters.fingerprint
        assert info["disk_bytes"] > POSTERS * 6400
        assert info["holder"] is True


class TestSettings:
    @pytest.mark.parametrize(
        "settings",
        [
            EngineSettings(use_votes=False, exhaustive_up_to=0),
            EngineSettings(use_global=False, exhaustive_up_to=0),
            EngineSettings(exhaustive_up_to=0),
            EngineSettings(threads=1),
            EngineSettings(keep_pictures=False),
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
                if seed == 5 and not settings.keep_pictures:
                    # Six chance matches verify another poster, and without pictures the two cannot meet: a
                    # rival that may be a look-alike keeps the right one from being answered.
                    assert len(found.results) == 2
                    assert found.results[0].picture.identifier == "poster.5"
                    continue
                assert_answer(found, f"poster.{seed}")
                assert ("structure" in found.results[0].figures) is settings.keep_pictures
            stranger = photo_of(poster(1000), seed=1, strength=0.2)
            assert recognizer.recognise(stranger.jpeg, ["posters"]).answer is None

    def test_a_model_that_is_not_there(self, tmp_path: Path) -> None:
        """A model folder without a card is a ModelError, and the data folder is free again."""
        with pytest.raises(ModelError, match=r"card\.json"):
            Recognizer.open(tmp_path / "data", EngineSettings(model=tmp_path / "nowhere"))
        Recognizer.open(tmp_path / "data").close()


class TestFolder:
    def test_one_holder(self, tmp_path: Path) -> None:
        """A second holder is refused with advice, and may open beside the first."""
        with Recognizer.open(tmp_path) as holder:
            with pytest.raises(DataFolderLocked, match="stop it first"):
                Recognizer.open(tmp_path)
            with Recognizer.open_shared(tmp_path) as beside:
                assert holder.info()["holder"] is True
                assert beside.info()["holder"] is False
        with Recognizer.open_shared(tmp_path) as alone:
            assert alone.info()["holder"] is True

    def test_two_see_each_other(self, tmp_path: Path) -> None:
        """What one opening adds or removes the other finds or loses with its next photo."""
        jpegs = [encode_jpeg(poster(seed)) for seed in range(2)]
        with Recognizer.open(tmp_path) as holder, Recognizer.open(tmp_path, hold=False) as beside:
            beside.add_channel("one")
            beside.add("one", "abc", jpegs[0])
            assert answered(holder.recognise(jpegs[0], ["one"])) == "abc"
            holder.add("one", "xyz", jpegs[1])
            assert answered(beside.recognise(jpegs[1], ["one"])) == "xyz"
            holder.remove("one", "abc")
            assert beside.recognise(jpegs[0], ["one"]).answer is None

    def test_another_model(self, tmp_path: Path) -> None:
        """A gallery filled by another model is refused with advice, unchanged, and not left locked."""
        with Recognizer.open(tmp_path) as recognizer:
            own = recognizer.fingerprint
            recognizer.catalogue.write_meta("fingerprint", "another-model")
        with pytest.raises(ModelMismatch, match="obverse reindex") as caught:
            Recognizer.open(tmp_path)
        assert (caught.value.stored, caught.value.current) == ("another-model", own)
        with pytest.raises(ModelMismatch):
            Recognizer.open_shared(tmp_path)

    def test_opened_again(self, tmp_path: Path) -> None:
        """A gallery that was closed is there again, without its log being replayed."""
        with Recognizer.open(tmp_path) as recognizer:
            recognizer.add_channel("one")
            for seed in range(3):
                recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)))
        with Recognizer.open(tmp_path) as again:
            assert again.info()["log_position"] == 3
            assert again.index.unsaved == 0
            photo = photo_of(poster(2), seed=2, strength=0.2)
            assert_answer(again.recognise(photo.jpeg, ["one"]), "poster.2", photo, channel="one")


class TestThreads:
    @pytest.fixture
    def recognizer(self, tmp_path: Path) -> Iterator[Recognizer]:
        """An empty gallery with the channel "one", whose segments are built after a few pictures."""
        with Recognizer.open(tmp_path, EngineSettings(tail=6, own_shard=20)) as made:
            made.add_channel("one")
            yield made

    def test_eight_at_once(self, recognizer: Recognizer) -> None:
        """Eight threads that add, find and remove at once: what stays is always found, what is removed never
        again, and nothing raises."""
        lasting = 4
        photos = [photo_of(poster(s), seed=s, strength=0.2).jpeg for s in range(lasting)]
        for seed in range(lasting):
            recognizer.add("one", f"lasting.{seed}", encode_jpeg(poster(seed)))
        failures: list[object] = []

        def find(number: int) -> None:
            for turn in range(5):
                seed = (number + turn) % lasting
                if answered(recognizer.recognise(photos[seed], ["one"])) != f"lasting.{seed}":
                    failures.append(("lost", seed))

        def change(number: int) -> None:
            for turn in range(3):
                seed = 100 + 10 * number + turn
                jpeg, name = encode_jpeg(poster(seed)), f"passing.{seed}"
                recognizer.add("one", name, jpeg)
                if answered(recognizer.recognise(jpeg, ["one"])) != name:
                    failures.append(("not found", name))
                recognizer.remove("one", name)
                if recognizer.recognise(jpeg, ["one"]).answer is not None:
                    failures.append(("found after removal", name))

        def guarded(work: object, number: int) -> None:
            try:
                work(number)  # type: ignore[operator]
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=((find, change)[n % 2], n)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert recognizer.catalogue.counts() == {"one": lasting}
