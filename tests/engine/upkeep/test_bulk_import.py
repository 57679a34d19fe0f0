"""Bulk import from Python: identifiers, a plan that can be resumed, and one loop that adds."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalogue import Picture
from engine.catalogue.rules import IDENTIFIER, check_identifier
from engine.errors import QuotaExceeded
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.upkeep.bulk_import import (
    Planned,
    Refused,
    add_all,
    files_of,
    identifier_of,
    plan,
    predict,
    present_in,
    sha256,
)
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
        files, left_out = files_of([tmp_path / "a", named, tmp_path / "a" / "notes.txt", tmp_path / "gone"])
        assert [path.name for path in files] == ["no-suffix", "one.png", "notes.txt"]
        assert left_out == {tmp_path / "gone": "no such file or folder"}

    def test_links(self, tmp_path: Path) -> None:
        """Linked folders are followed, once; a link that leads nowhere or back is told."""
        write(tmp_path / "elsewhere" / "far.png", 1)
        inside = tmp_path / "a" / "inside"
        write(inside / "near.png", 2)
        (tmp_path / "a" / "linked").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "a" / "linked again").symlink_to(tmp_path / "elsewhere")
        (inside / "back").symlink_to(tmp_path / "a")
        (inside / "gone.png").symlink_to(tmp_path / "nowhere")
        (inside / "round").symlink_to(inside / "round")
        files, left_out = files_of([tmp_path / "a"])
        assert sorted(path.name for path in files) == ["far.png", "near.png"]
        assert left_out[inside / "back"] == "a link to a folder that it lies in"
        assert left_out[inside / "gone.png"] == "a link to what is not there"
        assert set(left_out) == {inside / "back", inside / "gone.png", inside / "round"}

    def test_unreadable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A folder that may not be read is told, and the others are taken."""
        write(tmp_path / "a" / "open" / "one.png", 1)
        (tmp_path / "a" / "closed").mkdir()
        listed = Path.iterdir

        def iterdir(self: Path) -> Iterator[Path]:
            if self.name == "closed":
                raise PermissionError(errno.EACCES, "Permission denied", str(self))
            return listed(self)

        monkeypatch.setattr(Path, "iterdir", iterdir)  # root may read everything
        files, left_out = files_of([tmp_path / "a"])
        assert [path.name for path in files] == ["one.png"]
        assert left_out == {tmp_path / "a" / "closed": "Permission denied"}


class TestPlan:
    def test_many_files_of_one_name(self, tmp_path: Path) -> None:
        """No file is read for it, and numbers go on from the last one given; a name of which no character is legal
        gives way to its folder's."""
        files = [tmp_path / folder / "cover.jpg" for folder in ("one", "two", "日本")]
        files += [tmp_path / "日本" / f"{chr(0x4E00 + n)}.jpg" for n in range(3000)]
        files += [tmp_path / "three" / "絵.jpg", tmp_path / "three" / "画.jpg"]
        told: list[int] = []
        planned = plan(files, [], tell=lambda: told.append(1))
        names = [item.identifier for item in planned]
        assert names[:3] == ["cover", "cover_2", "cover_3"]
        assert names[3:5] == ["___", "____2"]
        assert names[-2:] == ["three", "three_2"]
        assert len(set(names)) == len(files) == len(told)
        assert all(IDENTIFIER.fullmatch(name) for name in names)

    def test_each_file_is_read_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However often its name was given before."""
        files = [tmp_path / folder / "cover.jpg" for folder in "abc"]
        for number, path in enumerate(files):
            path.parent.mkdir()
            path.write_bytes(b"%d" % number)
        present = [picture(f"cover_{n}", n) for n in range(2, 500)] + [picture("cover", 1000)]
        read: list[Path] = []
        read_bytes = Path.read_bytes
        monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self) or read_bytes(self))
        planned = plan(files, present)
        assert read == files
        assert [item.known_sha256 is not None for item in planned] == [False, False, True]
        assert planned[2].identifier == "cover_2"

    def test_a_folder_that_was_moved(self, tmp_path: Path) -> None:
        """A picture that is there under a name made of this file's is not added again."""
        path = tmp_path / "moved" / "cover.jpg"
        path.parent.mkdir()
        path.write_bytes(b"7")
        others = [picture("cover_2", 8), picture("other", 7)]
        for name, first in (("cover", []), ("cover_12", [picture("cover", 9)])):
            (item,) = plan([path], [*first, picture(name, 7), *others])
            assert (item.identifier, item.known_sha256) == (name, sha256(b"7"))
        (item,) = plan([path], [picture("other", 7)])
        assert (item.identifier, item.known_sha256) == ("cover", None)


def picture(identifier: str, content: int) -> Picture:
    """A picture that was added from a file of this content, at a place that is gone."""
    facts = {"source": f"/gone/{identifier}", "sha256": sha256(b"%d" % content)}
    return Picture(
        id=1, channel="c", identifier=identifier, uuid="", metadata="", threshold=None, active=True, facts=facts,
        level=3, width=9, height=9, keypoints=9, added_at=0, updated_at=0,
    )  # fmt: skip


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
        """Another import may have taken it meanwhile: the same file is there already, another is refused."""
        planned = [Planned(path=write(tmp_path / f"{n}.png", n // 2), identifier="same") for n in range(3)]
        (_, added), (_, same), (_, taken) = add_all(recognizer, "c", planned, workers=1)
        assert isinstance(added, Picture)
        assert same is None
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
