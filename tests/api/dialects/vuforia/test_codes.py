"""The tables of errors and codes, and what is written about them."""

from __future__ import annotations

import pytest

from api.dialects.vuforia import errors
from api.dialects.vuforia.codes import MANAGEMENT, MEANINGS, QUERY, Table, row_of
from api.dialects.vuforia.contract import CALLS
from api.errors import Busy, MalformedBody, Overdue
from engine.errors import ObverseError
from tests.support.paths import ROOT

TEXT = ROOT / "docs" / "vuforia.md"


def kinds() -> set[type[ObverseError]]:
    waiting, seen = [ObverseError], set()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        seen.add(kind)
    return seen


@pytest.mark.parametrize("table", [MANAGEMENT, QUERY], ids=["management", "query"])
class TestTables:
    def test_every_error_has_a_row(self, table: Table) -> None:
        for kind in kinds():
            row = next(table[parent] for parent in kind.__mro__ if parent in table)
            assert not row.code or row.code in MEANINGS
            assert not (row.code and row.text)
            assert 400 <= row.http <= 504

    def test_each_side_has_its_own(self, table: Table) -> None:
        """An error of this dialect that a table does not name is the other side's."""
        named = {kind for kind in table if issubclass(kind, errors.Refused)}
        others = {kind for kind in (QUERY if table is MANAGEMENT else MANAGEMENT) if issubclass(kind, errors.Refused)}
        assert named | others == {kind for kind in kinds() if issubclass(kind, errors.Refused)} - {errors.Refused}

    def test_busy_and_late(self, table: Table) -> None:
        assert row_of(table, Busy("x", retry_after_seconds=1))[:2] == (429, "TooManyRequests")
        assert row_of(table, Overdue("x", retry_after_seconds=1))[:2] == (504, "Fail")
        assert row_of(table, MalformedBody("x")).code == ""


class TestDocuments:
    def test_codes(self) -> None:
        text = TEXT.read_text("utf-8")
        assert [code for code in MEANINGS if f"`{code}`" not in text] == []

    def test_calls(self) -> None:
        text = TEXT.read_text("utf-8")
        calls = [f"{call.verb} {call.path.replace('{target_id:str}', 'ID')}" for call in CALLS]
        assert [call for call in (*calls, "POST /v1/query") if call not in text] == []

    def test_never_sent(self) -> None:
        """The vendor's own business."""
        assert not {"ProjectSuspended", "ProjectHasNoApiAccess", "RequestQuotaReached", "DateRangeError"} & set(
            MEANINGS
        )
