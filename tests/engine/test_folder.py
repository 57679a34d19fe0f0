"""A gallery's folder: who holds it, which model filled it, what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalogue import Catalogue
from engine.errors import (
    DataFolderLocked,
    ModelMismatch,
)
from engine.image import encode_jpeg
from engine.index.embedded import EmbeddedIndex
from engine.recognizer import Recognizer
from tests.support.answers import answered, assert_answer
from tests.support.drawn import POSTERS, photo_of, poster


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

    def test_a_failed_opening(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing stays open of it."""
        Recognizer.open(tmp_path).close()
        closed: list[type] = []
        for kind in (Catalogue, EmbeddedIndex):
            monkeypatch.setattr(kind, "close", lambda self, real=kind.close: (closed.append(type(self)), real(self)))
        with monkeypatch.context() as patched:
            patched.setattr(Recognizer, "fingerprint", "another-model")
            with pytest.raises(ModelMismatch):
                Recognizer.open(tmp_path)
        assert closed == [EmbeddedIndex, Catalogue]
        Recognizer.open(tmp_path).close()

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


class TestInfo:
    def test_info(self, posters: Recognizer) -> None:
        """Counts, sizes and states are told."""
        info = posters.info()
        assert info["channels"] == {"posters": POSTERS}
        assert info["pictures"] == POSTERS
        assert info["model"] == posters.fingerprint
        assert info["disk_bytes"] > POSTERS * 6400
        assert info["holder"] is True
