"""Whatever happens to a file of a data folder: the same answers, or those that are left with a word about what is
missing, or a refusal that names the way out. Never a crash, a silent loss or a wrong answer."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.damage import HARMS, Harm, Victim, cut, empty, flip, garble_start, lose, victim, zero
from tests.support.paths import ROOT

FILES = (
    "catalogue.db",
    "catalogue.db-wal",
    "catalogue.db-shm",
    "secrets.key",
    "events.duckdb",
    "events.duckdb.wal",
    "catalogue.seq",
    "events.seq",
    "lock",
)
QUICK = {
    ("catalogue.db", empty),
    ("catalogue.db", lose),
    ("catalogue.db-wal", cut),
    ("secrets.key", cut),
    ("events.duckdb", garble_start),
    ("events.duckdb.wal", flip),
}
CASES = [
    pytest.param(name, harm, times, marks=[pytest.mark.slow] if slow else [], id=f"{name}-{harm.__name__}-{times}")
    for name in FILES
    for harm in (*HARMS, garble_start)
    for times, slow in ((1, (name, harm) not in QUICK), *(((3, True),) if harm in (flip, cut, zero) else ()))
    # SQLite has no sums of its pages, and a picture's text is as good with one letter changed.
    if ((name, harm) not in {("catalogue.db", flip), ("catalogue.db", zero)} and name != "lock") or harm is lose
]
MADE = """
import json, os, sys
from pathlib import Path
from api.service import Service
from api.settings import Settings
from api.accounts.store import Accounts
from engine.recognizer import Recognizer
from tests.support.damaged_folder import CHANNEL, QUICK, SEEDS
from tests.support.drawn_pictures import picture
folder = Path(sys.argv[1]) / "data"
for turn in range(2):
    recognizer = Recognizer.open(folder, QUICK)
    service = Service(Settings(), recognizer)
    if not turn:
        accounts = Accounts(service.catalogue.database)
        keys = accounts.add_user("alice").full
        channel = service.catalogue.add_channel(CHANNEL, owner=accounts.user("alice").id)
        app = service.apps.add(channel)
        given = {"username": keys.username, "secretkey": keys.secretkey}
        given |= {"app_id": app.app_id, "api_secret": app.api_secret}
        (Path(sys.argv[1]) / "keys.json").write_text(json.dumps(given))
    for seed in SEEDS[turn : 1 + 2 * turn]:
        recognizer.add(CHANNEL, f"one.{seed}", picture(seed), metadata=f"number {seed}")
        service._writer.count(1, CHANNEL, f"one.{seed}").result()
    if not turn:
        service.close()
os._exit(0)
"""
"""Ends as a killed server does: what came in its second turn is in the write-ahead logs alone."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, "-c", MADE, str(folder)], check=True, cwd=ROOT)
    assert all((folder / "data" / name).exists() for name in FILES)
    return folder


@pytest.fixture(scope="module")
def process() -> Iterator[Victim]:
    with victim("tests.support.damaged_folder") as started:
        yield started


@pytest.fixture(scope="module")
def whole(killed: Path, process: Victim, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    copy = tmp_path_factory.mktemp("whole") / "copy"
    shutil.copytree(killed, copy)
    answers: dict[str, Any] = process.meet(copy / "data")
    return answers


ADVICE = ("restore", "move these away", "obverse app rotate", "put the catalogue back")


def assert_told(seen: dict[str, Any], whole: dict[str, Any], *, again: bool) -> None:
    """What differs from the whole folder's answers is told, and nothing is made up. again: damaged counts were set
    aside at the start before, and only /ready tells it now."""
    assert not any("traceback" in message for message in seen["said"])
    if "refused" in seen:
        assert any(advice in seen["refused"] for advice in ADVICE), seen["refused"]
        return
    assert (seen["user"], seen["secret"]) == (whole["user"], True)
    assert all(listed in whole["listed"] for listed in seen["listed"])
    names = [identifier for identifier, _ in seen["listed"]]
    assert seen["found"] == [name if name in names else None for name in whole["found"]]
    if len(seen["listed"]) < len(whole["listed"]):
        assert any("what was changed since" in message for message in seen["said"])
    if seen["counts"] != whole["counts"]:
        assert seen["counts"] < whole["counts"]
        assert seen["ready"]
        assert again or any("counts" in message for message in seen["said"])


class TestFiles:
    def test_whole(self, whole: dict[str, Any]) -> None:
        assert whole == {
            "user": "alice",
            "secret": True,
            "found": ["one.1", "one.2", "one.3"],
            "listed": [["one.1", "number 1"], ["one.2", "number 2"], ["one.3", "number 3"]],
            "counts": 3,
            "ready": "",
            "said": [],
        }

    @pytest.mark.parametrize(("name", "harm", "times"), CASES)
    def test_harmed(
        self,
        killed: Path,
        whole: dict[str, Any],
        process: Victim,
        tmp_path: Path,
        name: str,
        harm: Harm,
        times: int,
    ) -> None:
        for seed in range(times):
            copy = tmp_path / str(seed)
            shutil.copytree(killed, copy)
            path = copy / "data" / name
            if path.stat().st_size or harm is lose:
                harm(path, random.Random(f"{name} {harm.__name__} {seed}"))
            for again in (False, True):
                assert_told(process.meet(copy / "data"), whole, again=again)
