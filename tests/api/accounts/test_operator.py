"""The operator's password, and channels that are open to all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.accounts.open_channels import is_open, set_open
from api.accounts.operator import FEWEST_CHARACTERS, MOST_CHARACTERS, OperatorPassword
from engine.catalogue import Catalogue
from engine.errors import InvalidValue, ReadOnlyData


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    made = Catalogue(tmp_path / "data")
    made.add_channel("one")
    yield made
    made.close()


class TestPassword:
    def test_none(self, catalogue: Catalogue) -> None:
        """Nothing fits where none is set, nor where it was removed."""
        operator = OperatorPassword(catalogue)
        assert operator.verify("") is None
        operator.set("correct horse")
        operator.remove()
        assert operator.verify("correct horse") is None
        assert operator.verify("") is None
        assert operator.mark() == ""

    def test_only_the_right_one(self, catalogue: Catalogue) -> None:
        operator = OperatorPassword(catalogue)
        operator.set("p\u00e4ssw\u00f6rter")
        assert operator.verify("p\u00e4ssw\u00f6rter") == operator.mark() != ""
        for wrong in ("", "passworter", "p\u00e4ssw\u00f6rter ", "\ud800", "x" * 1_000_000):
            assert operator.verify(wrong) is None

    def test_is_nowhere_in_the_folder(self, catalogue: Catalogue) -> None:
        """And the same password is stored in another way each time."""
        operator = OperatorPassword(catalogue)
        operator.set("correct horse")
        first = operator.mark()
        operator.set("correct horse")
        assert operator.mark() != first
        assert "correct" not in first
        catalogue.close()
        assert not any(b"correct horse" in path.read_bytes() for path in catalogue.folder.iterdir() if path.is_file())

    @pytest.mark.parametrize("password", ["", "short", "x" * (FEWEST_CHARACTERS - 1), "x" * (MOST_CHARACTERS + 1)])
    def test_length(self, catalogue: Catalogue, password: str) -> None:
        with pytest.raises(InvalidValue):
            OperatorPassword(catalogue).set(password)
        assert OperatorPassword(catalogue).mark() == ""

    def test_a_folder_that_is_only_read(self, catalogue: Catalogue) -> None:
        reading = Catalogue(catalogue.folder, read_only=True)
        with pytest.raises(ReadOnlyData):
            OperatorPassword(reading).set("correct horse")
        reading.close()


class TestOpenChannels:
    def test_is_a_channels_own(self, catalogue: Catalogue) -> None:
        """Not a name's: one that is made anew under it is closed."""
        one = catalogue.channel("one")
        assert not is_open(catalogue, one)
        set_open(catalogue, one, to_all=True)
        assert is_open(catalogue, one)
        catalogue.remove_channel("one")
        assert not is_open(catalogue, catalogue.add_channel("one"))

    def test_closed_again(self, catalogue: Catalogue) -> None:
        one = catalogue.channel("one")
        set_open(catalogue, one, to_all=True)
        set_open(catalogue, one, to_all=False)
        assert not is_open(catalogue, one)
