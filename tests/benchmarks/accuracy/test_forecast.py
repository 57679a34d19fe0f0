"""What a threshold brings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from api.console.forecast import NAME, Forecast, forecast_of
from benchmarks.accuracy import forecast as measured
from benchmarks.accuracy.forecast import forecast
from benchmarks.accuracy.outcomes import Answer
from engine.judge.calibration import load_calibration
from engine.settings import DEFAULT_MODEL
from tests.support.made_outcomes import outcome


def test_shares(tmp_path: Path, monkeypatch: object) -> None:
    """Right and wrong answers by threshold; what is neither counts as neither, and the default is among the rows."""
    looks = {
        "a": (outcome(right=("a",)), Answer("a", 95.0)),
        "b": (outcome(right=("b",)), Answer("x", 80.0)),
        "c": (outcome(right=("c",), allowed=("y",)), Answer("y", 99.0)),
        "d": (outcome(right=("d",)), Answer(None, 0.0)),
        "e": (outcome(left_out=True), Answer("z", 91.0)),
        "f": (outcome(left_out=True), Answer("z", 10.0)),
        "g": (outcome(), Answer("z", 99.0)),
    }
    file = tmp_path / "calibration.json"
    file.write_text("{}")
    by_look = {id(look): found for look, found in looks.values()}
    monkeypatch.setattr(measured, "answer", lambda look, _: by_look[id(look)])  # type: ignore[attr-defined]
    made = forecast([look for look, _ in looks.values()], load_calibration(None), file=file, default=85.19)
    assert (made["photos"], made["photos_whose_picture_is_missing"]) == (4, 2)
    rows = {row["threshold"]: (row["answered"], row["wrong"], row["missing_answered"]) for row in made["rows"]}
    assert rows[80] == (0.25, 0.25, 0.5)
    assert rows[85.19] == (0.25, 0.0, 0.5)
    assert rows[96] == (0.0, 0.0, 0.0)
    assert list(rows) == sorted(rows)


def test_the_shipped_one() -> None:
    """It belongs to the shipped calibration; fewer photos are answered, rightly and wrongly, as the threshold grows."""
    found = forecast_of(None)
    assert found is not None
    for one, other in zip(found.rows, found.rows[1:], strict=False):
        assert one.threshold < other.threshold
        assert (one.answered, one.wrong, one.missing_answered) >= (other.answered, 0, 0)
        assert one.missing_answered >= other.missing_answered
    assert load_calibration(None).threshold in {row.threshold for row in found.rows}


def test_of_another_calibration(tmp_path: Path) -> None:
    """None where there is none, it cannot be read, or it belongs to another fit."""
    file = tmp_path / "mine.json"
    file.write_bytes((DEFAULT_MODEL / "calibration.json").read_bytes() + b"\n")
    assert forecast_of(file) is None
    shipped = msgspec.json.decode((DEFAULT_MODEL / NAME).read_bytes(), type=Forecast)
    (tmp_path / NAME).write_bytes(msgspec.json.encode(shipped))
    assert forecast_of(file) is None
    right = hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / NAME).write_bytes(msgspec.json.encode(msgspec.structs.replace(shipped, calibration_sha256=right)))
    assert forecast_of(file) is not None
    (tmp_path / NAME).write_text("{")
    assert forecast_of(file) is None
