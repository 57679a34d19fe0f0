"""A kept picture that is damaged: nobody's photo is blamed for it, and nothing else is lost."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.catalogue.tables import rendition_table
from engine.describe.records import from_bytes
from engine.enrol.quality import grade_picture
from engine.image import decode, encode_jpeg
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.upkeep.reindex import reindex
from tests.support.drawn import photo_of, poster

DAMAGE = {
    "cut off": lambda jpeg: jpeg[: len(jpeg) // 2],
    "empty": lambda jpeg: jpeg[:0],
    "zeros": lambda jpeg: bytes(len(jpeg)),
}


@pytest.fixture(params=sorted(DAMAGE))
def damaged(recognizer: Recognizer, request: pytest.FixtureRequest) -> Recognizer:
    """Posters 1 to 4, of which the first one's kept picture is damaged."""
    for seed in range(1, 5):
        recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)))
    number = recognizer.get("one", "poster.1").id
    kept = recognizer.catalogue.rendition(number)
    assert kept is not None
    spoil(recognizer, number, DAMAGE[request.param](kept))
    return recognizer


def spoil(recognizer: Recognizer, number: int, jpeg: bytes) -> None:
    change = sa.update(rendition_table).where(rendition_table.c.picture_id == number).values(jpeg=jpeg)
    database = sa.create_engine(f"sqlite:///{recognizer.folder / 'catalogue.db'}")
    with database.begin() as connection:
        connection.execute(change)
    database.dispose()


class TestDamagedKept:
    def test_photo_is_recognised(self, damaged: Recognizer, caplog: pytest.LogCaptureFixture) -> None:
        """Photos of it are judged by geometry alone, and the log names the picture's number, once."""
        number = damaged.get("one", "poster.1").id
        photo = photo_of(poster(1), seed=1).jpeg
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                found = damaged.recognise(photo, ["one"])
        assert found.results[0].picture.identifier == "poster.1"
        assert "structure" not in found.results[0].figures
        assert [r.getMessage().split(":")[0] for r in caplog.records] == [
            f"picture number {number} is judged by geometry alone"
        ]
        assert damaged.similar(encode_jpeg(poster(1)), ["one"]).results[0].picture.identifier == "poster.1"

    def test_others_are_as_ever(self, damaged: Recognizer) -> None:
        """Photos of other pictures are compared with theirs."""
        found = damaged.recognise(photo_of(poster(2), seed=2).jpeg, ["one"])
        assert found.answer is not None
        assert found.answer.picture.identifier == "poster.2"
        assert "structure" in found.answer.figures

    def test_explained(self, damaged: Recognizer) -> None:
        """Its reasons are drawn beside a plain field."""
        photo = photo_of(poster(1), seed=1).jpeg
        drawn = damaged.explain(photo, damaged.recognise(photo, ["one"]).results[0])
        assert decode(drawn, long_side=2000)[0].shape[1] > 720

    def test_graded(self, damaged: Recognizer) -> None:
        """It is graded as a picture of which none was kept."""
        picture = damaged.get("one", "poster.1")
        rows = from_bytes(damaged.catalogue.features([picture.id])[0][3])
        size, jpeg = (picture.width, picture.height), damaged.catalogue.rendition(picture.id)
        without = grade_picture(rows, size, level=picture.level, jpeg=None)
        assert grade_picture(rows, size, level=picture.level, jpeg=jpeg) == without

    @pytest.mark.parametrize("originals", [True, False], ids=["with its file", "without"])
    def test_described_anew(self, damaged: Recognizer, tmp_path: Path, *, originals: bool) -> None:
        """`reindex` takes its file where there is one, and else tells which picture is lost and why."""
        folder = damaged.folder
        damaged.close()
        path = tmp_path / "poster.1.jpg"
        path.write_bytes(encode_jpeg(poster(1)))
        done = reindex(folder, EngineSettings(), originals={"poster.1": path} if originals else {})
        assert done.done == (4 if originals else 3)
        assert list(done.unusable) == ([] if originals else ["one/poster.1"])
        if not originals:
            assert "its kept picture cannot be read" in done.unusable["one/poster.1"]
        with Recognizer.open(folder) as again:
            found = again.recognise(photo_of(poster(1), seed=1).jpeg, ["one"])
            assert (found.results[0].picture.identifier == "poster.1" if found.results else False) == originals
