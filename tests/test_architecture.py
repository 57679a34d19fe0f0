"""The house as it is built: who may import whom, who speaks to which library, and what an import may do."""

from __future__ import annotations

import ast
import functools
import graphlib
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import errors

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("engine", "api", "training", "benchmarks", "cli", "models")
FORBIDDEN = {
    "engine": {"api", "training", "benchmarks", "cli"},
    "api": {"training", "benchmarks", "cli"},
    "training": {"api", "benchmarks", "cli"},
    "benchmarks": {"cli"},
    "models": {"engine", "api", "training", "benchmarks", "cli"},
}
"""Imports point backward along the sentence of the house; nothing imports the command line."""
SPEAKERS = {
    "faiss": {"engine.shortlist.global_index", "training.learn.fit"},
    "onnxruntime": {"engine.onnx_session", "training.comparator.export", "training.export.patch_model"},
    "duckdb": {"api.stats.store"},
    "alembic": {"engine.catalogue.upgrade"},
}
"""Each large dependency is touched by these modules only, so that its conventions are converted in one place.
Benchmarks may speak to all of them: they compare."""
LEVELS = (
    {"errors", "values", "timing", "threads", "own_folder", "durable"},
    {"settings", "onnx_session", "kernels", "containers"},
    {"image", "detail"},
    {"image_files", "describe", "full_image"},
    {"shortlist", "rank", "verify", "catalogue"},
    {"judge", "index", "enrol"},
    {"recognise"},
    {"recognizer"},
    {"upkeep"},
)
"""The rooms of the engine, from the ground up (docs/house.md): a room imports those of lower levels only."""
FRONT_DOORS = {
    "api": {"recognizer", "catalogue.rules", "recognise.answer", "recognise.frames", "upkeep.archives"},
    "cli": {"recognizer", "catalogue.rules", "recognise.answer", "upkeep"},
    "benchmarks": {
        "recognizer",
        "describe",
        "full_image",
        "recognise.frames",
        "recognise.pipeline",
        "upkeep.bulk_import",
    },
}
"""What others use of the engine beside its ground (the first three levels, and picture files) and what a package hands
on by itself (`engine.catalogue`). Benchmarks describe pictures with the engine's own detectors and network, for the
methods that they compare."""
EXCEPTIONS = {
    "api.accounts": (
        {"catalogue.tables", "catalogue.transactions", "catalogue.upgrade"},
        "accounts lie in one database",
    ),
    "api.rules.pictures": ({"describe.records", "enrol.quality"}, "a picture's grades are of what is stored of it"),
    "api.rules.misses": ({"describe.records"}, "where a picture's points lie is told in its record's frame"),
    "cli.options": ({"catalogue.sqlite"}, "a folder without this file holds no gallery"),
    "cli.gallery.info": ({"index.embedded"}, "the number of the shard that small channels share"),
    "benchmarks.accuracy": ({"judge", "verify.evidence", "shortlist.votes"}, "the match ratio is fitted on its parts"),
    "benchmarks.compare": (
        {"shortlist", "verify.evidence", "verify.homography", "enrol.preparation", "onnx_session"},
        "the lists are compared one by one, and outlines in pixels of the original files",
    ),
    "benchmarks.speed": ({"index", "shortlist.votes"}, "an index of made-up pictures is measured"),
}
"""Who reaches further, for what, and why."""


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Dotted names and files."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@functools.cache
def imported(path: Path, *, module: str) -> frozenset[str]:
    """Dotted names of all that a file imports, at its top or later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*module.split(".")[: -node.level], *([base] if base else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            found.add(str(node.args[0].value))
    return frozenset(found)


def everything() -> list[tuple[str, Path]]:
    return [entry for package in PACKAGES for entry in modules(package)]


def speakers_of(library: str) -> set[str]:
    """Modules that import the library, without benchmarks and the migrations that Alembic runs."""
    return {
        name
        for name, path in everything()
        if any(i.split(".")[0] == library for i in imported(path, module=name))
        and MIGRATIONS not in name
        and not name.startswith("benchmarks.")
    }


MIGRATIONS = "migrations"


def _within(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


class TestImports:
    @pytest.mark.parametrize("package", FORBIDDEN)
    def test_direction(self, package: str) -> None:
        """No module of the package imports one that comes after it, late imports too."""
        wrong = {
            name: sorted(bad)
            for name, path in modules(package)
            if (bad := {i for i in imported(path, module=name) if i.split(".")[0] in FORBIDDEN[package]})
        }
        assert wrong == {}

    def test_tests_are_not_imported(self) -> None:
        """The product does not need its tests."""
        wrong = [
            n for n, p in everything() if any(i.split(".")[0] in ("tests", "pytest") for i in imported(p, module=n))
        ]
        assert wrong == []

    @pytest.mark.parametrize("library", SPEAKERS)
    def test_one_speaker(self, library: str) -> None:
        """Only the named modules speak to the library."""
        assert speakers_of(library) == SPEAKERS[library]

    def test_sqlalchemy(self) -> None:
        """SQLAlchemy is spoken to by the engine's catalogue and by the accounts of the service only."""
        speakers = speakers_of("sqlalchemy")
        ours = {
            "engine.catalogue.catalogue",
            "engine.catalogue.sqlite",
            "engine.catalogue.tables",
            "engine.catalogue.transactions",
        }
        assert ours <= speakers
        assert all(s.startswith(("api.accounts.", "engine.catalogue.")) for s in speakers - ours)

    def test_levels(self) -> None:
        """No room of the engine imports one of its own level or above, late imports too."""
        level = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
        wrong = set()
        for name, path in modules("engine"):
            room = name.split(".")[1] if "." in name else None
            for other in imported(path, module=name):
                parts = other.split(".")
                inside = room is not None and parts[0] == "engine" and len(parts) > 1 and parts[1] != room
                if inside and level[parts[1]] >= level[room or ""]:
                    wrong.add((name, other))
        assert wrong == set()
        assert set(level) == {name.split(".")[1] for name, _ in modules("engine") if "." in name}

    def test_no_circles(self) -> None:
        """No module imports, through others, one that imports it; late imports and those for types count."""
        known = dict(everything())
        arrows = {
            # A package's face is no arrow of the modules behind it.
            name: {i for i in imported(path, module=name) if i in known and not _within(name, {i})}
            for name, path in known.items()
        }
        graphlib.TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle

    def test_front_doors(self) -> None:
        """The service, the commands and the benchmarks use what the engine's front doors offer; who reaches further is
        listed with a reason, and nobody is listed who does not."""
        ground = set().union(*LEVELS[:3]) - {"onnx_session"} | {"image_files"}
        used: set[tuple[str, str]] = set()
        wrong = set()
        for package, offered in FRONT_DOORS.items():
            for name, path in modules(package):
                for other in imported(path, module=name):
                    if not other.startswith("engine.") or (ROOT / other.replace(".", "/")).is_dir():
                        continue
                    target = other.removeprefix("engine.")
                    if not (ROOT / "engine" / f"{target.replace('.', '/')}.py").exists():
                        continue  # a name in a module, which is in the set by itself
                    if _within(target, ground | offered):
                        continue
                    listed = {(who, what) for who, (whats, _) in EXCEPTIONS.items() for what in whats}
                    mine = {e for e in listed if _within(name, {e[0]}) and _within(target, {e[1]})}
                    used |= mine
                    if not mine:
                        wrong.add((name, other))
        assert wrong == set()
        assert used == {(who, what) for who, (whats, _) in EXCEPTIONS.items() for what in whats}

    def test_slots_stay_inside(self) -> None:
        """Slots are an affair of the embedded index: no name outside `engine/index/` speaks of them."""
        wrong = []
        for name, path in everything():
            if name.startswith("engine.index."):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                spoken = [getattr(node, field, "") for field in ("id", "attr", "name", "arg")]
                of_dataclass = isinstance(node, ast.keyword) and node.arg == "slots" and _is_true(node.value)
                if any(isinstance(s, str) and "slot" in s.lower() for s in spoken) and not of_dataclass:
                    wrong.append(f"{name}:{getattr(node, 'lineno', '?')}")
        assert wrong == []

    def test_simulation_needs_no_torch(self) -> None:
        """The demo, the benchmarks and the engine's tests simulate photographs without torch."""
        for name, path in modules("training"):
            if name.startswith("training.simulation"):
                assert not {i.split(".")[0] for i in imported(path, module=name)} & {"torch", "kornia"}, name
                for other in imported(path, module=name):
                    assert not other.startswith("training.") or other.startswith("training.simulation"), name

    def test_serving_needs_no_torch(self) -> None:
        """Torch is imported by training only; commands that train import it late."""
        for package in ("engine", "api", "benchmarks"):
            for name, path in modules(package):
                assert not any(i.split(".")[0] == "torch" for i in imported(path, module=name)), name

    def test_the_engine_knows_no_http(self) -> None:
        """The engine is a library: no web framework in it."""
        web = {"litestar", "uvicorn", "starlette", "http", "prometheus_client"}
        for name, path in modules("engine"):
            assert not {i.split(".")[0] for i in imported(path, module=name)} & web, name


PROBE = """
import importlib, logging, os, sys, threading
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # the one variable that an import may set: see MUTED
libraries = "cv2 faiss numba onnxruntime alembic sqlalchemy scipy.optimize scipy.spatial threadpoolctl"
for library in libraries.split():  # what they do on their own import is theirs
    importlib.import_module(library)

def state():
    handlers = [h for n in (None, *logging.root.manager.loggerDict) for h in logging.getLogger(n).handlers]
    return dict(os.environ), threading.active_count(), handlers, os.getcwd(), sys.getrecursionlimit()

before, files = state(), set(os.listdir("."))
importlib.import_module(sys.argv[1])
print([a == b for a, b in zip(before, state(), strict=True)], files == set(os.listdir(".")), "torch" in sys.modules)
"""


MUTED = ("engine.onnx_session", "os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')")
"""The one statement that acts at an import: without it the next line, the import of ONNX Runtime, leaves a device id in
HOME and sends usage data to its maker, whoever imports us, and nothing that we could do later undoes it."""


def started(node: ast.If) -> bool:
    """Whether this is what a script does when it is started rather than imported."""
    return ast.unparse(node.test) == "__name__ == '__main__'"


class TestImporting:
    @pytest.mark.parametrize("package", ["engine", "benchmarks", "models"])
    def test_statements(self, package: str) -> None:
        """Module bodies hold definitions, constants and docstrings: no loops, no bare calls, nothing that acts."""
        allowed = (
            ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.AsyncFunctionDef,
        )  # fmt: skip
        for name, path in modules(package):
            if MIGRATIONS in name:
                continue
            for node in ast.parse(path.read_text()).body:
                text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                guarded = isinstance(node, ast.If) and ("TYPE_CHECKING" in ast.unparse(node.test) or started(node))
                muted = (name, ast.unparse(node)) == MUTED
                assert text or guarded or muted or isinstance(node, allowed), f"{name}:{node.lineno}"

    @pytest.mark.parametrize(
        "module", ["engine.recognizer", "benchmarks.accuracy.end_to_end", "training.simulation.photographs"]
    )
    def test_effects(self, module: str, tmp_path: Path) -> None:
        """An import sets no variable (but MUTED's), handler or thread going, writes no file, and does not bring torch
        in."""
        done = subprocess.run(
            [sys.executable, "-c", PROBE, module],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout == "[True, True, True, True, True] True False\n"


class TestErrors:
    def test_the_tree_is_drawn(self) -> None:
        """The docstring of `engine.errors` draws every class below its parent."""
        drawing = (errors.__doc__ or "").splitlines()
        drawn: dict[str, str] = {}
        path: list[tuple[int, str]] = []
        for line in drawing:
            stripped = line.lstrip(" |`-")
            name = stripped.split(" ")[0].split("\t")[0]
            if not name.isidentifier() or not isinstance(getattr(errors, name, None), type):
                continue
            depth = len(line) - len(stripped)
            path = [entry for entry in path if entry[0] < depth]
            drawn[name] = path[-1][1] if path else "Exception"
            path.append((depth, name))
        classes = {
            name: member.__base__.__name__  # type: ignore[union-attr]
            for name, member in inspect.getmembers(errors, inspect.isclass)
            if issubclass(member, Exception) and member.__module__ == errors.__name__
        }
        assert drawn == classes

    def test_one_parent(self) -> None:
        """Whatever the engine raises on purpose can be caught as ObverseError."""
        for name, path in modules("engine"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and any(
                    isinstance(b, ast.Name) and b.id in ("Exception", "BaseException") for b in node.bases
                ):
                    assert (name, node.name) == ("engine.errors", "ObverseError")

    def test_no_broad_except(self) -> None:
        """Errors are caught narrowly: a broad `except` says why at its line, or raises again."""
        for name, path in modules("engine"):
            lines = path.read_text().splitlines()
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ExceptHandler):
                    kind = ast.unparse(node.type) if node.type else "BaseException"
                    if kind in ("Exception", "BaseException"):
                        again = any(isinstance(n, ast.Raise) for n in ast.walk(node))
                        assert again or "#" in lines[node.lineno - 1], f"{name}:{node.lineno}"


class TestNames:
    def test_no_module_hides_the_standard_library(self) -> None:
        """No module is named after one of the standard library's."""
        own = {name for package in PACKAGES for name, path in modules(package) if path.parent == ROOT}
        assert not own & set(sys.stdlib_module_names)
        assert not set(PACKAGES) & set(sys.stdlib_module_names)

    def test_every_module_says_what_it_is_for(self) -> None:
        """Each module has a docstring; empty package files need none."""
        for name, path in everything():
            text = path.read_text()
            assert not text.strip() or ast.get_docstring(ast.parse(text)), name
