"""A data folder that 0.1.0 wrote at commit 9523883 opens for ever, and its saved indexes are used.

`tests/data/make_old_gallery.py` tells how it was made. What 0.1.0 stored carries its model's fingerprint: when the
shipped model changes, pictures must be described again. Then this archive stays for what needs no model (the
catalogue's upgrade, accounts, counts, and that the opening says `ModelMismatch` and `obverse reindex` mends it), and an
archive of the new model is added beside it for the rest.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.accounts.apps import Apps
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from api.stats.store import CountStore, Question
from engine.catalogue import Catalogue
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.drawn import photo_of, poster

ARCHIVE = Path(__file__).resolve().parents[1] / "data" / "gallery-0.1.0.tar.gz"
CHANNELS = ("books", "cards", "targets")
POSTERS = {
    "books": {f"book.{seed}": seed for seed in (0, 1, 2, 3, 4, 5, 7, 13)},
    "cards": {"card.9": 20, "card.14": 14, "card.renamed": 8},
    "targets": {"target.10": 10, "target.11": 11},
}
"""Which poster each picture shows. card.9 showed poster 9 before it was replaced."""
INACTIVE = {"book.5", "book.7"}
REMOVED = (6, 9, 12)
"""Posters of pictures that were removed or replaced."""
NEVER_REACHED = "book.4"
"""Its own threshold is 100."""
SAVED_AT = 20
"""The log position of the saved indexes; three changes follow it."""
SEARCHED = EngineSettings(exhaustive_up_to=0)
"""Small channels are searched by the segments, too, instead of being ranked whole."""
SEGMENTS = {0: [3], 1: [8]}
"""Pictures of the saved segments by shard: the one of the small channels, and that of "books"."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The old data folder, with the keys beside it."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


@pytest.fixture
def silent(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The engine has nothing to warn of: neither an index that is built anew nor a folder in a bad state."""
    caplog.set_level(logging.WARNING)
    yield
    assert [record.getMessage() for record in caplog.get_records("call")] == []


def forget_log(folder: Path) -> None:
    """Removes the changes up to the saved indexes: who does not use these misses the pictures of the changes."""
    with contextlib.closing(sqlite3.connect(folder / "catalogue.db")) as database, database:
        database.execute("DELETE FROM change WHERE seq <= ?", [SAVED_AT])


def photo(seed: int) -> bytes:
    return photo_of(poster(seed, width=240, height=320), seed=seed, strength=0.2).jpeg


def answered(recognizer: Recognizer, seed: int) -> str | None:
    """The identifier that a photo of the poster gets in all channels."""
    answer = recognizer.recognise(photo(seed), CHANNELS).answer
    return None if answer is None else answer.picture.identifier


def assert_as_it_was(recognizer: Recognizer, **added: dict[str, int]) -> None:
    """Every picture is there and found, and nothing else; added: posters by channel and identifier."""
    stored = {channel: {**POSTERS[channel], **added.get(channel, {})} for channel in CHANNELS}
    for channel, pictures in stored.items():
        assert [p.identifier for p in recognizer.list(channel)] == sorted(pictures)
        for identifier, seed in pictures.items():
            best = recognizer.recognise(photo(seed), CHANNELS).results
            shown = [(match.picture.channel, match.picture.identifier) for match in best]
            if identifier in INACTIVE:
                assert (channel, identifier) not in shown
                assert not any(match.accepted for match in best)
                continue
            assert shown[0] == (channel, identifier)
            assert best[0].match_ratio >= recognizer.default_threshold
            assert best[0].accepted == (identifier != NEVER_REACHED)
    for seed in REMOVED:
        assert answered(recognizer, seed) is None
    info = recognizer.info()
    assert info["channels"] == {channel: len(pictures) for channel, pictures in stored.items()}
    assert info["pictures"] == sum(info["channels"].values())


@pytest.mark.usefixtures("silent")
class TestIndexes:
    @pytest.mark.parametrize("hold", [True, False])
    def test_are_used(self, folder: Path, hold: bool) -> None:
        """The saved indexes are read, not built from the log: index/manifest.json keeps its keys `format` (1), `seq`,
        `count`, `dimension`, `columns`, `shards` and `fingerprint`, and in each shard `segments` (`name`, `first`,
        `last`, `pictures`, `preset`) and `tail`; it names slots-*.npz (`picture_ids`, `channels`, `keypoints`,
        `visible`, `alive`) and segment-* (-offsets, -slots, -signatures and -norms.npy, -vector-slots.npy,
        -vectors.faiss), which lie with records.bin and vectors.bin in the same folder."""
        forget_log(folder)
        with Recognizer.open(folder, SEARCHED, hold=hold) as recognizer:
            info = recognizer.info()
            assert info["segments"] == SEGMENTS
            assert info["tail"] == {0: 3, 1: 1}
            assert info["log_position"] == SAVED_AT + 3
            assert_as_it_was(recognizer)

    def test_what_is_saved_on_top(self, folder: Path) -> None:
        """A save keeps the old segments' files, and what was added opens with them again."""
        segments = {path.name for path in (folder / "index").glob("segment-*")}
        for number, seed in enumerate((30, 31)):
            with Recognizer.open(folder) as recognizer:
                added = recognizer.add("books", f"new.{seed}", encode_jpeg(poster(seed, width=240, height=320)))
                assert answered(recognizer, seed) == added.identifier
            manifest = json.loads((folder / "index" / "manifest.json").read_text())
            assert manifest["seq"] == SAVED_AT + 4 + number
            assert {path.name for path in (folder / "index").glob("segment-*")} == segments
        with contextlib.closing(sqlite3.connect(folder / "catalogue.db")) as database, database:
            assert database.execute("SELECT min(seq) FROM change").fetchone() == (1,)
            database.execute("DELETE FROM change WHERE seq < ?", [manifest["seq"]])
        with Recognizer.open(folder) as recognizer:
            assert recognizer.info()["segments"] == SEGMENTS
            assert_as_it_was(recognizer, books={"new.30": 30, "new.31": 31})

    def test_without_them(self, folder: Path) -> None:
        """The catalogue alone is enough: a folder without index/ is built from the log and answers alike."""
        shutil.rmtree(folder / "index")
        with Recognizer.open(folder) as recognizer:
            assert_as_it_was(recognizer)
        assert (folder / "index" / "manifest.json").is_file()
        with Recognizer.open(folder) as recognizer:
            assert_as_it_was(recognizer)


class TestCatalogue:
    def test_facts(self, folder: Path) -> None:
        """catalogue.db keeps what was stored of each picture: metadata, thresholds, states, facts and UUIDs."""
        with contextlib.closing(Catalogue(folder)) as catalogue:
            pictures = {(p.channel, p.identifier): p for p in catalogue.all_pictures()}
            assert set(pictures) == {(channel, name) for channel, named in POSTERS.items() for name in named}
            assert {name for (_, name), p in pictures.items() if not p.active} == INACTIVE
            thresholds = {name: p.threshold for (_, name), p in pictures.items() if p.threshold is not None}
            assert thresholds == {"book.4": 100.0, "card.9": 30.0, "card.renamed": 30.0}
            for number in (0, 1, 2, 3, 4, 5, 7):
                assert pictures["books", f"book.{number}"].metadata == f'{{"title": "Buch № {number}"}}'
            assert pictures["cards", "card.9"].metadata == "replaced"
            target = pictures["targets", "target.10"]
            assert target.uuid == "0b7e55e0-0000-4000-8000-000000000010"
            assert target.facts == {"easyar": {"name": "poster 10", "size": "20", "type": "ImageTarget"}}
            assert {(p.width, p.height) for p in pictures.values()} == {(240, 320)}
            assert all(catalogue.rendition(p.id) for p in pictures.values())
            assert (catalogue.channel("books").owner, catalogue.channel("books").quota) == (1, 50)
            assert catalogue.channel("cards").owner is None


class TestService:
    @pytest.fixture
    def keys(self, folder: Path) -> dict[str, str]:
        """What `obverse user add` and `obverse app add` printed."""
        return json.loads((folder.parent / "keys.json").read_text())

    def test_keys(self, folder: Path, keys: dict[str, str]) -> None:
        """Both pairs of the user still let in, each for what it may do."""
        with contextlib.closing(Catalogue(folder)) as catalogue:
            accounts = Accounts(catalogue.database)
            user, reads_only = accounts.verify(keys["username"], keys["secretkey"])
            assert (user.name, reads_only) == ("alice", False)
            user, reads_only = accounts.verify(keys["readonly_username"], keys["readonly_secretkey"])
            assert (user.name, reads_only) == ("alice", True)

    def test_app(self, folder: Path, keys: dict[str, str]) -> None:
        """secrets.key opens the secret of the EasyAR app, which stands for the channel "targets"."""
        with contextlib.closing(Catalogue(folder)) as catalogue:
            Accounts(catalogue.database)
            app = Apps(catalogue.database, Vault(folder)).by_app_id(keys["app_id"])
        assert app is not None
        assert (app.channel, app.user.name) == ("targets", "alice")
        assert (app.api_key, app.api_secret) == (keys["api_key"], keys["api_secret"])

    def test_counts(self, folder: Path) -> None:
        """events.duckdb keeps its counts, those that were summed and those that were not yet."""
        with contextlib.closing(CountStore(folder)) as store:
            days = Question(first=dt.date(2026, 1, 1), last=dt.date(2026, 1, 2))
            assert store.top(days, limit=9) == [("books", "book.0", 3), ("books", "book.1", 1), ("books", "book.6", 1)]
            by_day = [(count.day.day, count.name, count.count) for count in store.by_day(days, group="channel")]
            assert by_day == [(1, "books", 3), (2, "books", 2)]
