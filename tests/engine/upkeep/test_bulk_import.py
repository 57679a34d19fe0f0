"""Bulk import from Python: identifiers, a plan that can be resumed, and one loop that adds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalogue import Picture
from engine.catalogue.rules import check_identifier
from engine.errors import QuotaExceeded
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.upkeep.bulk_import import Planned, Refused, add_all, files_of, identifier_of, plan, predict, present_in
from tests.support.commands import write


class TestIdentifiers:
    """The file's name, made legal."""

    @pytest.mark.parametrize(
        ("name", "identifier"),
        [
            ("cover.jpg", "cover"),
            ("a b-c.png", "a_b_c"),
            ("é.png", "___"),
            ("x.webp", "x__"),
            ("v1.2@home_.jpeg", "v1.2@home_"),
            ("n" * 60 + ".jpg", "n" * 50),
        ],
    )
    def test_rule(self, name: str, identifier: str) -> None:
        assert identifier_of(Path(name)) == identifier

    @given(st.text(max_size=80))
    def test_always_legal(self, name: str) -> None:
        """Whatever a file is called, the catalogue takes the name."""
        check_identifier(identifier_of(Path(name)))

    def test_collisions_are_numbered_within_fifty_characters(self, tmp_path: Path) -> None:
        files = [tmp_path / part / ("n" * 60 + ".jpg") for part in "abc"]
        planned = plan(files, [])
        assert [p.identifier for p in planned] == ["n" * 50, "n" * 48 + "_2", "n" * 48 + "_3"]
        assert [p.numbered for p in planned] == [False, True, True]


@pytest.fixture
def recognizer(tmp_path: Path) -> Iterator[Recognizer]:
    """An empty gallery with the channel `c`."""
    with Recognizer.open(tmp_path / "data") as opened:
        opened.add_channel("c")
        yield opened


class TestFilesOf:
    def test_what_is_taken(self, tmp_path: Path) -> None:
        """Of a folder what is called like a picture or starts like one, hidden files left out; each file once; what
        is named in any case; what does not exist is told."""
        named = write(tmp_path / "a" / "one.png", 1)
        (tmp_path / "a" / "no-suffix").write_bytes(named.read_bytes())
        (tmp_path / "a" / "notes.txt").write_text("no picture")
        (tmp_path / "a" / ".hidden.png").write_bytes(named.read_bytes())
        files, missing = files_of([tmp_path / "a", named, tmp_path / "a" / "notes.txt", tmp_path / "gone"])
        assert [path.name for path in files] == ["no-suffix", "one.png", "notes.txt"]
        assert missing == [tmp_path / "gone"]


class TestAddAll:
    def test_outcomes(self, recognizer: Recognizer, tmp_path: Path) -> None:
        """In the order of the plan: a picture, the reason why there is none, None for what was there before."""
        pictures = tmp_path / "pictures"
        write(pictures / "a.jpg", 1)
        (pictures / "b.jpg").write_text("no picture")
        files, _ = files_of([pictures])
        first = list(add_all(recognizer, "c", plan(files, present_in(recognizer, "c")), workers=2))
        assert [item.path for item, _ in first] == files
        picture, refused = (outcome for _, outcome in first)
        assert isinstance(picture, Picture)
        assert (picture.identifier, picture.facts["source"]) == ("a__", str(files[0].resolve()))
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.taken) == ("not an image: the bytes start like no known format", False)
        again = plan(files[:1], present_in(recognizer, "c"))
        assert [outcome for _, outcome in add_all(recognizer, "c", again, workers=2)] == [None]
        write(pictures / "a.jpg", 2)
        ((_, changed),) = add_all(recognizer, "c", again, workers=2)
        assert changed == Refused("changed since it was added as a__; remove that first")

    def test_a_name_that_the_plan_did_not_know_of(self, recognizer: Recognizer, tmp_path: Path) -> None:
        """Who names pictures by their content takes it for the same picture."""
        planned = [Planned(path=write(tmp_path / f"{name}.png", 1), identifier="same") for name in "ab"]
        (_, added), (_, taken) = add_all(recognizer, "c", planned, workers=1)
        assert isinstance(added, Picture)
        assert isinstance(taken, Refused)
        assert taken.taken

    def test_a_full_channel_ends_it(self, recognizer: Recognizer, tmp_path: Path) -> None:
        """No later file would fare better."""
        recognizer.catalogue.update_channel("c", owner=None, quota=1)
        planned = plan([write(tmp_path / f"{n}.png", n) for n in range(3)], [])
        with pytest.raises(QuotaExceeded):
            list(add_all(recognizer, "c", planned, workers=1))
        assert recognizer.catalogue.counts() == {"c": 1}

    def test_stopped_early(self, recognizer: Recognizer, tmp_path: Path) -> None:
        """What nobody has begun is left; the next plan takes it up."""
        files = [write(tmp_path / f"{n}.png", n) for n in range(6)]
        adding = add_all(recognizer, "c", plan(files, []), workers=1)
        next(adding)
        adding.close()
        done = recognizer.catalogue.counts()["c"]
        assert 1 <= done < 6
        rest = list(add_all(recognizer, "c", plan(files, present_in(recognizer, "c")), workers=1))
        assert sum(outcome is None for _, outcome in rest) == done
        assert recognizer.catalogue.counts() == {"c": 6}


class TestPredict:
    def test_what_grows(self, recognizer: Recognizer, tmp_path: Path) -> None:
        """Disk grows with the new pictures, memory with all."""
        one, many = predict(recognizer, new=1), predict(recognizer, new=1000)
        assert (many.disk, many.memory) == (1000 * one.disk, 1000 * one.memory)
        assert one.fits
        recognizer.add("c", "abc", write(tmp_path / "p.png", 1).read_bytes())
        assert predict(recognizer, new=999).memory == many.memory

    def test_without_renditions(self, recognizer: Recognizer, tmp_path: Path) -> None:
        """Kept pictures are most of the disk."""
        with Recognizer.open(tmp_path / "bare", EngineSettings(keep_pictures=False)) as bare:
            assert predict(bare, new=1).disk < predict(recognizer, new=1).disk / 2
