"""What the front door refuses, and that nothing is stored then."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import (
    ChannelExists,
    ChannelNotFound,
    IdentifierTaken,
    ImageTooSmall,
    InvalidValue,
    NotAnImage,
    PictureNotFound,
    TooFewFeatures,
)
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from tests.support.drawn import encoded, flat, poster


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
