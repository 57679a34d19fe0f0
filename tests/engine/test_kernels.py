"""Where compiled kernels are kept, and what happens where they cannot be."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import photograph, write
from tests.support.paths import ROOT
from tests.support.powers import copy_package, make_read_only, make_writable, powerless

LAYOUT = """
import numpy as np
from engine.kernels import part_of_kernels
STEP = 3
@part_of_kernels
def shifted(value):
    return value + 1
"""
KERNEL = """
from engine.kernels import kernel
from layout import STEP, shifted
@kernel()
def total(values):
    result = 0
    for value in values:
        result += shifted(value) * STEP
    return result
"""
CALL = """
import numpy as np
from kernels_here import total
print(total(np.arange(4)), "kept" if total._cache_hits else "compiled")
"""


class Place:
    """A kernel in a folder of its own, and what a process is told of folders that take machine code."""

    def __init__(self, folder: Path) -> None:
        self.source, self.temporary, self.home = (folder / name for name in ("source", "temporary", "home"))
        for path in (self.source, self.temporary, self.home):
            path.mkdir()
        (self.source / "layout.py").write_text(LAYOUT)
        (self.source / "kernels_here.py").write_text(KERNEL)

    def call(self, **variables: str) -> tuple[str, str]:
        """The result and whether the kernel was found on disk, and what the log told."""
        environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
        environment |= {"HOME": str(self.home), "TMPDIR": str(self.temporary), "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"PYTHONPATH": f"{self.source}{os.pathsep}{ROOT}", **variables}
        done = subprocess.run(
            powerless(sys.executable, "-c", CALL), env=environment, cwd=self.source, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr

    @property
    def kept(self) -> dict[str, list[Path]]:
        """Files of kernels by place."""
        found = {name: sorted(getattr(self, name).rglob("*.nb[ci]")) for name in ("source", "temporary", "home")}
        return {name: files for name, files in found.items() if files}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)
    make_writable(tmp_path)


class TestPlaces:
    """The folder that is named, the module's own, the user's among temporary files; else none."""

    def test_beside_the_module(self, place: Place) -> None:
        assert place.call() == ("30 compiled", "")
        assert place.call() == ("30 kept", "")
        assert list(place.kept) == ["source"]

    def test_a_folder_that_is_named(self, place: Place, tmp_path: Path) -> None:
        named = tmp_path / "named"
        assert place.call(NUMBA_CACHE_DIR=str(named)) == ("30 compiled", "")
        assert place.call(NUMBA_CACHE_DIR=str(named)) == ("30 kept", "")
        assert place.kept == {}
        assert list(named.rglob("*.nbc"))

    def test_the_module_may_only_be_read(self, place: Place) -> None:
        """The user's own folder among temporary files takes them, for this user alone; HOME stays empty."""
        make_read_only(place.source)
        assert place.call() == ("30 compiled", "")
        assert place.call() == ("30 kept", "")
        assert list(place.kept) == ["temporary"]
        (mine,) = place.temporary.iterdir()
        assert mine.stat().st_mode & 0o077 == 0

    def test_built_into_an_image(self, place: Place) -> None:
        """What was compiled before the folder became read-only is found there."""
        place.call()
        make_read_only(place.source)
        assert place.call() == ("30 kept", "")
        assert list(place.kept) == ["source"]

    def test_nowhere(self, place: Place) -> None:
        """Compiled in each process; the log says so once."""
        make_read_only(place.source)
        (place.temporary / f"obverse-{os.getuid()}").write_text("no folder")
        result, told = place.call()
        assert (result, place.kept) == ("30 compiled", {})
        assert told.count("no folder takes the compiled kernels") == 1

    @pytest.mark.skipif(os.name == "nt", reason="Windows has one such folder for each user")
    def test_a_folder_of_somebody_else(self, place: Place) -> None:
        """One that others can write to is not taken: they could lay machine code there for us to run."""
        make_read_only(place.source)
        laid = place.temporary / f"obverse-{os.getuid()}"
        laid.mkdir(mode=0o777)
        laid.chmod(0o777)
        result, told = place.call()
        assert (result, place.kept) == ("30 compiled", {})
        assert told.count("no folder takes the compiled kernels") == 1

    def test_a_full_or_vanished_folder(self, place: Place, tmp_path: Path) -> None:
        """One place that takes nothing leads to the next."""
        (tmp_path / "file").write_text("no folder")
        assert place.call(NUMBA_CACHE_DIR=str(tmp_path / "file"))[0] == "30 compiled"
        assert list(place.kept) == ["source"]


class TestFreshness:
    def test_damaged(self, place: Place) -> None:
        """A file that was cut short, or is rubbish, is compiled anew and replaced."""
        place.call()
        for damage in (b"", b"rubbish", None):
            for path in place.kept["source"]:
                path.write_bytes(path.read_bytes()[:-7] if damage is None else damage)
            result, told = place.call()
            assert result == "30 compiled"
            assert told.count("cannot be read and is compiled anew") == 1
            assert place.call() == ("30 kept", "")
            assert list(place.kept) == ["source"]

    @pytest.mark.parametrize(("old", "new", "result"), [("STEP = 3", "STEP = 5", 50), ("value + 1", "value + 2", 42)])
    def test_a_change_elsewhere(self, place: Place, old: str, new: str, result: int) -> None:
        """A number or a function of another module that is compiled in: its change is a change of the kernel."""
        assert place.call()[0] == "30 compiled"
        (place.source / "layout.py").write_text(LAYOUT.replace(old, new))
        assert place.call()[0] == f"{result} compiled"


class TestTheEngine:
    def test_one_place(self) -> None:
        """Every kernel is compiled by `engine.kernels`: Numba's own decorators end the import where it cannot write."""
        wrong = []
        for package in ("engine", "api", "cli", "benchmarks", "training"):
            for path in (ROOT / package).rglob("*.py"):
                names = {
                    getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(ast.parse(path.read_text()))
                }
                if names & {"njit", "jit", "vectorize", "guvectorize"} and path.name != "kernels.py":
                    wrong.append(path)
        assert wrong == []

    @pytest.fixture
    def installed(self, tmp_path: Path) -> Iterator[Path]:
        """The package in a folder of its own, as an installation has it."""
        yield copy_package(tmp_path / "site-packages")
        make_writable(tmp_path)

    def run(self, installed: Path, *arguments: object) -> tuple[str, str]:
        """A command of a user without HOME."""
        home = installed.parent / "home"
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "COLUMNS": "160", "HOME": str(home)}
        environment |= {"TMPDIR": str(installed.parent / "temporary")}
        done = subprocess.run(
            powerless(sys.executable, "-m", *map(str, arguments)),
            cwd=installed.parent,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert not home.exists()
        return done.stdout, done.stderr

    def test_read_only_installation(self, installed: Path, tmp_path: Path) -> None:
        """A user who may write neither there nor in HOME can add, find and list; what `warm_up` compiled when the
        image was built is used, and nothing is compiled again."""
        (tmp_path / "temporary").mkdir()
        self.run(installed, "engine.recognise.warm_up")
        built = len(list(installed.rglob("*.nbc")))
        assert built >= 9
        make_read_only(installed)
        pictures, photo = tmp_path / "pictures", photograph(tmp_path / "photo.jpg", 1)
        for number in range(3):
            write(pictures / f"one.{number}.jpg", number)
        data = tmp_path / "data"
        assert "3 added" in self.run(installed, "cli.main", "add", pictures, "--channel", "one", "--data", data)[0]
        assert "one.1 in one" in self.run(installed, "cli.main", "find", photo, "--data", data)[0]
        assert "3 pictures" in self.run(installed, "cli.main", "list", "--data", data)[0]
        assert len(list(installed.rglob("*.nbc"))) == built
        assert list((tmp_path / "temporary").rglob("*.nbc")) == []
