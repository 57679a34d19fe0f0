"""Where data folders, pictures and photos may lie: paths of any characters, folders that may only be read, a catalogue
that was lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.options import printable
from tests.support.apart import run_all
from tests.support.commands import photograph, run, write
from tests.support.paths import ROOT
from tests.support.powers import make_read_only, make_writable

ODD = ["what?now=1", "50%25 off", "#1", "tab\there", "a[b]c", "書 é", os.fsdecode(b"caf\xe9")]


def apart(*arguments: object, given: bytes = b"", **variables: str) -> tuple[int, bytes, bytes]:
    """A command in a process of its own: its status and what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "cli.main", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "160", **variables},
        input=given,
        capture_output=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(params=ODD, ids=printable)
def odd(request: pytest.FixtureRequest) -> str:
    """A name of a file or folder, legal and unusual."""
    return request.param


class TestOddNames:
    def test_every_command_on_a_gallery(self, tmp_path: Path, odd: str) -> None:
        """Data folder, pictures, photo, drawing and archive are where they were asked for, and nothing else is made."""
        pictures, photo, drawing, archive = (tmp_path / f"{odd}{end}" for end in (".d", ".jpg", ".png", ".tar.gz"))
        for number in range(2):
            write(tmp_path / "plain" / f"{number}.jpg", number)
        (tmp_path / "plain").rename(pictures)
        (pictures / "1.jpg").rename(pictures / f"{odd}.jpg")
        photograph(tmp_path / "plain.jpg", 1).rename(photo)
        folder = tmp_path / odd
        data = ("--data", folder)
        before = {path.name for path in tmp_path.iterdir()}
        assert "2 added" in run("add", pictures, "--channel", "one", *data).out
        assert run("add", pictures, "--channel", "one", *data, "--json").json["skipped"] == 2
        found = run("find", photo, *data, "--json", "--explain", drawing).json
        assert found[0]["photo"] == str(photo)
        assert found[0]["answer"]["channel"] == "one"
        assert found[0]["explained"] == str(drawing)
        assert f"{printable(photo)}: " in run("find", photo, *data).out
        assert "2 pictures" in run("list", *data).out
        assert run("info", *data, "--json").json["pictures"] == 2
        for command in (
            ["user", "add", "shop"],
            ["user", "list"],
            ["channel", "add", "books", "--user", "shop"],
            ["channel", "list"],
            ["app", "add", "books", "--user", "shop"],
            ["app", "list"],
            ["stats"],
        ):
            assert run(*command, *data).status == 0
        assert printable(archive) in run("backup", archive, *data).out
        restored = tmp_path / f"{odd}.restored"
        assert printable(restored) in run("restore", archive, "--data", restored).out
        assert "2 pictures described anew" in run("reindex", "--data", restored).out
        assert run("remove", "000", "--channel", "one", *data).status in (0, 1)
        assert {path.name for path in tmp_path.iterdir()} == before | {odd, drawing.name, archive.name, restored.name}
        assert (folder / "catalogue.db").stat().st_size > 0

    def test_refusals_are_one_line(self, tmp_path: Path, odd: str, gallery: Path) -> None:
        """And one bad file does not stop the rest."""
        bad, good = tmp_path / f"{odd}.jpg", photograph(tmp_path / "good.jpg", 1)
        bad.write_bytes(b"no picture")
        done = run("find", bad, tmp_path / f"no {odd}", good, "--data", gallery)
        assert done.status == 1
        assert "one.1 in one" in done.out
        assert done.err.count("\n") == 2
        assert done.err.startswith(f"refused {printable(bad)}: ")
        rows = run("find", bad, good, "--data", gallery, "--json").json
        assert [row["photo"] for row in rows] == [str(bad), str(good)]
        told = run("add", bad, "--channel", "one", "--data", tmp_path / "new", "--json").json
        assert list(told["refused"]) == [str(bad)]


class TestPrinting:
    """What a terminal cannot show is escaped: no command dies of a name."""

    NAME = os.fsdecode(b"\xe9\xff\nx\x1b[2J.jpg")

    def test_for_people(self) -> None:
        assert printable(Path("a") / self.NAME) == "a/\\xe9\\xff\\x0ax\\x1b[2J.jpg"
        assert printable("書 é") == "書 é"

    @pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "gbk"])
    def test_encodings(self, encoding: str) -> None:
        """Of every terminal; JSON stays JSON, and gives the very bytes of the name back."""
        names = [self.NAME, "書 é 😀.jpg"]
        code = "import json, sys, typer; from cli.options import *; print_anything(); names = json.loads(sys.argv[1])\n"
        code += "print_json(names); refuse(names[0], names[1]); typer.echo(printable(names[1]))"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, json.dumps(names)],
            cwd=ROOT,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        document, name, end = done.stdout.split(b"\n")
        assert [os.fsencode(told) for told in json.loads(document.decode(encoding))] == [*map(os.fsencode, names)]
        assert name.endswith(b".jpg")
        assert (end, done.stderr.count(b"\n")) == (b"", 1)

    def test_names_in_tables(self, tmp_path: Path) -> None:
        """What is written as UTF-8 throughout refuses a name that is not, and says which."""
        name = os.fsdecode(b"caf\xe9")
        write(tmp_path / "covers" / "plain.jpg", 1).rename(tmp_path / "covers" / f"{name}.jpg")
        (tmp_path / "shots").mkdir()
        photograph(tmp_path / "shots" / "plain.jpg", 1).rename(tmp_path / "shots" / f"{name}_1.jpg")
        given = ("--pictures", tmp_path / "covers", "--photos", tmp_path / "shots", "--out", tmp_path / "out", "--yes")
        done = run("compare", *given, "--methods", "phash")
        assert done.status == 1
        assert done.err.endswith("obverse: a file name that is not UTF-8, caf\\xe9…: rename it first\n")

    def test_a_terminal_without_letters(self, tmp_path: Path, gallery: Path) -> None:
        photo = photograph(tmp_path / "p.jpg", 1).rename(tmp_path / self.NAME)
        status, out, err = apart("find", photo, tmp_path / "書", "--data", gallery, PYTHONIOENCODING="ascii")
        assert (status, out.count(b"\n"), out.count(b"one.1 in one"), err.count(b"\n")) == (1, 1, 1, 1)


class TestWhatToFind:
    """`find` takes folders and standard input, too."""

    @pytest.fixture
    def photos(self, tmp_path: Path) -> Path:
        """Two photos, one of them further down, and what is none."""
        folder = tmp_path / "photos"
        (folder / "more").mkdir(parents=True)
        photograph(folder / "b.jpg", 1)
        photograph(folder / "more" / "a.jpg", 2)
        (folder / "notes.txt").write_text("no photo")
        return folder

    def test_a_folder(self, gallery: Path, photos: Path, tmp_path: Path) -> None:
        """All that `add` would take, in order, in the folder's place."""
        first = photograph(tmp_path / "first.jpg", 3)
        rows = run("find", first, photos, "--data", gallery, "--json").json
        assert [row["photo"] for row in rows] == [str(first), str(photos / "b.jpg"), str(photos / "more" / "a.jpg")]
        assert [row["answer"]["identifier"] for row in rows] == ["one.3", "one.1", "one.2"]

    def test_drawings_of_a_folder(self, gallery: Path, photos: Path, tmp_path: Path) -> None:
        """Numbered, as for several photos."""
        assert run("find", photos, "--data", gallery, "--explain", tmp_path / "e.png").status == 0
        assert sorted(path.name for path in tmp_path.glob("*.png")) == ["e-1.png", "e-2.png"]

    def test_a_folder_without_any(self, gallery: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        done = run("find", tmp_path / "empty", "--data", gallery)
        assert (done.status, done.out) == (1, "")
        assert done.err == f"refused {tmp_path / 'empty'}: no picture is in this folder\n"

    def test_what_is_left_out(self, gallery: Path, photos: Path) -> None:
        (photos / "dangling.jpg").symlink_to("nowhere")
        (photos / "z.jpg").write_bytes(b"no photo")
        done = run("find", photos, "--data", gallery)
        assert (done.status, done.out.count("\n"), done.err.count("\n")) == (1, 2, 2)

    def test_standard_input(self, gallery: Path, tmp_path: Path) -> None:
        photo = photograph(tmp_path / "p.jpg", 4).read_bytes()
        status, out, err = apart("find", "-", "--data", gallery, "--json", given=photo)
        assert (status, err) == (0, b"")
        (row,) = json.loads(out)
        assert (row["photo"], row["answer"]["identifier"]) == ("-", "one.4")

    @pytest.mark.parametrize(("given", "reason"), [(b"", b"not an image"), (b"x" * 20_000_001, b"bytes, at most")])
    def test_not_a_photo(self, gallery: Path, given: bytes, reason: bytes) -> None:
        status, out, err = apart("find", "-", "--data", gallery, given=given)
        assert (status, out) == (1, b"")
        assert err.startswith(b"refused -: ")
        assert reason in err


@pytest.fixture
def closed(gallery: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the gallery, with users, that nobody may write to."""
    folder = tmp_path / "closed"
    run("backup", tmp_path / "b.tar.gz", "--data", gallery)
    run("restore", tmp_path / "b.tar.gz", "--data", folder)
    run("user", "add", "shop", "--data", folder)
    run("find", photograph(tmp_path / "p.jpg", 1), "--data", folder)  # saves its indexes
    make_read_only(folder)
    yield folder
    make_writable(folder)


class TestReadOnly:
    """Who may only read a gallery can do all that only reads."""

    def test_reading(self, closed: Path, tmp_path: Path) -> None:
        before = sorted((path, path.stat().st_mtime_ns) for path in closed.rglob("*"))
        commands = {
            ("find", tmp_path / "p.jpg"): "one.1 in one",
            ("list",): "6 pictures",
            ("info",): "up to date",
            ("user", "list"): "shop",
            ("channel", "list"): "one",
            ("stats",): "Matches",
            ("backup", tmp_path / "copy.tar.gz"): "catalogue.db",
        }
        ends = run_all(*((*command, "--data", closed) for command in commands), rights=False)
        for (command, told), end in zip(commands.items(), ends, strict=True):
            assert (end.status, end.err) == (0, ""), command
            assert told in end.out
        assert sorted((path, path.stat().st_mtime_ns) for path in closed.rglob("*")) == before

    def test_changing(self, closed: Path, tmp_path: Path) -> None:
        """Each refusal is a line, and says that nothing was changed."""
        picture = write(tmp_path / "new.jpg", 9)
        commands: list[list[Any]] = [
            ["add", picture, "--channel", "one"],
            ["remove", "one.1", "--channel", "one"],
            ["user", "add", "eve"],
            ["user", "disable", "shop"],
            ["channel", "add", "books", "--user", "shop"],
            ["reindex"],
            ["serve", "--port", "0"],
        ]
        *ends, listed = run_all(*((*command, "--data", closed) for command in [*commands, ["list"]]), rights=False)
        for command, end in zip(commands, ends, strict=True):
            assert end.status == 1, command
            assert end.out.strip() in ("", "one: 0 added, 0 there already, 1 refused")
            assert "may not be written" in end.err
        assert "serve --read-only" in ends[-1].err
        assert "6 pictures" in listed.out


class TestALostCatalogue:
    @pytest.mark.parametrize("empty", [False, True])
    def test_no_fresh_start(self, tmp_path: Path, gallery: Path, empty: bool) -> None:
        """Beside an index a missing or empty catalogue is a loss: no command begins a gallery there, each tells how to
        get the old one back."""
        folder = tmp_path / "data"
        run("backup", tmp_path / "b.tar.gz", "--data", gallery)
        run("restore", tmp_path / "b.tar.gz", "--data", folder)
        photo = photograph(tmp_path / "p.jpg", 1)
        assert run("find", photo, "--data", folder).status == 0
        for path in folder.glob("catalogue.db*"):
            path.unlink()
        if empty:
            (folder / "catalogue.db").touch()
        picture = write(tmp_path / "new.jpg", 9)
        for command in (
            ["add", picture, "--channel", "one"],
            ["find", photo],
            ["list"],
            ["user", "add", "eve"],
            ["serve"],
        ):
            done = run(*command, "--data", folder)
            assert (done.status, done.out) == (1, "")
            assert done.err.strip().startswith(f"obverse: {folder / 'catalogue.db'} is ")
            assert "obverse restore" in done.err
        assert run("restore", tmp_path / "b.tar.gz", "--data", folder, "--force").status == 0
        assert "one.1 in one" in run("find", photo, "--data", folder).out
