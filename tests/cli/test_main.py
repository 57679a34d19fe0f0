"""How the command starts, lists what it can do, and refuses."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.main import COMMANDS, app, load_command
from tests.support.commands import photograph, run, run_apart
from tests.support.paths import ROOT

MAY_MAKE = {"add", "import", "migrate", "restore", "serve", "user add", "recall", "evaluate", "calibrate"}
"""Commands that make the folder of `--data` where it is missing."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something."""
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield from leaves(command.resolve_command(None, [name])[1], (*path, name))
    else:
        yield path, command


LEAVES = {" ".join(path): command for path, command in leaves(typer.main.get_command(app))}
READING = [name for name, c in LEAVES.items() if any("--data" in p.opts for p in c.params) and name not in MAY_MAKE]


class TestRefusals:
    """Status 1 and one line for what is refused, 2 for wrong usage."""

    def test_unknown_channel(self, gallery: Path, tmp_path: Path) -> None:
        done = run_apart("find", photograph(tmp_path / "p.jpg", 1), "--channel", "two", "--data", gallery)
        assert (done.status, done.out) == (1, "")
        assert done.err == "obverse: no channel named 'two'\n"

    @pytest.mark.parametrize("name", READING)
    def test_no_gallery_there(self, tmp_path: Path, name: str) -> None:
        """Reading makes no empty gallery where a name was misspelt."""
        given: list[object] = [*name.split(), "--data", tmp_path / "nothing"]
        for needed in (p for p in LEAVES[name].params if p.required and "--data" not in p.opts):
            given += [needed.opts[0], "some"] if needed.opts[0].startswith("-") else ["some"]
        done = run(*given)
        assert (done.status, done.out) == (2, "")
        told = " ".join(done.err.replace("│", " ").split())
        assert told.count("Invalid value for '--data'") == 1
        assert "holds no gallery" in told or "does not exist" in told
        assert list(tmp_path.iterdir()) == []

    def test_the_commands_that_read_a_gallery(self) -> None:
        """None is left out of the test above by a slip."""
        assert {"list", "find", "info", "stats", "user list", "channel add", "app add", "reindex"} <= set(READING)

    def test_a_folder_without_a_gallery(self, tmp_path: Path) -> None:
        """It is no gallery either, and stays empty; `user add` makes one there, and the others take it."""
        assert run("user", "list", "--data", tmp_path).status == 2
        assert list(tmp_path.iterdir()) == []
        assert run("user", "add", "eve", "--data", tmp_path).status == 0
        assert "eve" in run("user", "list", "--data", tmp_path).out

    def test_usage(self, gallery: Path) -> None:
        for wrong in (["find"], ["nonsense"], ["add", "x.jpg"], ["list", "--data", gallery, "--sort"]):
            assert run(*wrong).status == 2

    @pytest.mark.parametrize(("wrong", "meant"), [(["fnd"], "find"), (["user", "lst"], "list")])
    def test_a_misspelt_command(self, wrong: list[str], meant: str) -> None:
        """The nearest one is named."""
        done = run(*wrong)
        assert done.status == 2
        assert f"Did you mean '{meant}'?" in done.err


class TestListing:
    """The table of commands, which a listing shows without importing any."""

    def test_help_names_every_command(self) -> None:
        done = run("--help")
        assert done.status == 0
        assert [name for name in COMMANDS if f" {name} " not in done.out] == []
        panels = [line.split()[1:-1] for line in done.out.splitlines() if line.startswith("╭")]
        assert [" ".join(word for word in panel if word.strip("─")) for panel in panels] == [
            "Options",
            "Gallery",
            "Service",
            "Try and measure",
            "Train",
        ]

    @pytest.mark.parametrize("name", COMMANDS)
    def test_sentences_are_those_of_the_commands(self, name: str) -> None:
        """Each is the first paragraph of the command's own help."""
        assert COMMANDS[name].help == " ".join(load_command(name).help.split("\n\n")[0].split())

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("obverse export-", "export-backbone\tExport a torchvision backbone"),
            ("obverse user en", "enable\tAllow a disabled"),
            ("obverse find --ex", "--explain\tDraw photo and picture"),
        ],
    )
    def test_completion(self, words: str, expected: str) -> None:
        """A shell's completion knows the commands, those of groups, and the options of the one that is typed."""
        variables = {"_OBVERSE_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": words}
        variables["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
        done = subprocess.run(
            [sys.executable, "-c", "from cli.main import app; app(prog_name='obverse')"],
            env=variables,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.stdout.startswith(expected), done.stderr


PROBE = """
import sys
from cli.main import app
libraries, arguments = sys.argv[1].split(), sys.argv[2:]
try:
    app(arguments, prog_name="obverse")
except SystemExit as ended:
    print(ended.code, [name for name in libraries if name in sys.modules], file=sys.stderr)
"""


def loaded(libraries: str, *arguments: object) -> str:
    """The status of a command in a process of its own, and which of the libraries it has loaded."""
    command = [sys.executable, "-c", PROBE, libraries, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stderr.splitlines()[-1]


class TestStart:
    """What a command does not need it does not load: most of these take a tenth of a second to a second."""

    def test_help(self) -> None:
        heavy = "cv2 numpy sqlalchemy faiss numba onnxruntime litestar duckdb alembic"
        assert loaded(heavy, "--help") == "0 []"
        assert loaded(heavy, "find", "--help") == "0 []"

    def test_list(self, gallery: Path) -> None:
        """The catalogue alone."""
        assert loaded("cv2 numpy faiss numba onnxruntime litestar duckdb", "list", "--data", gallery) == "0 []"

    def test_list_needs_no_migration(self, gallery: Path) -> None:
        """A gallery of the newest form is read without the library that upgrades it."""
        assert loaded("alembic", "list", "--data", gallery) == "0 []"

    def test_find(self, gallery: Path, tmp_path: Path) -> None:
        """Neither the service nor torch."""
        photo = photograph(tmp_path / "p.jpg", 1)
        assert loaded("litestar duckdb torch", "find", photo, "--data", gallery) == "0 []"

    def test_version(self) -> None:
        assert run("--version").out.strip() == importlib.metadata.version("obverse")
