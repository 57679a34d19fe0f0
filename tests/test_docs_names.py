"""What the documentation names exists: files, modules, classes and what is in them, and the rooms of the house.

Read are names in backticks, `python -m MODULE`, and the imports of examples in Python. A page may tell what something
was called in a table whose first column is headed "before".
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_architecture import LEVELS, PACKAGES

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "README.md", "CHANGELOG.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").rglob("*.md")))
]  # fmt: skip
FOREIGN = {
    "IndexBinaryIVF", "IndexIVFRaBitQ", "IndexIVFSpectralHash", "MultiIndexQuantizer",  # FAISS
    "Allow", "Authorization", "Bearer TOKEN", "ImageTarget",  # EasyAR's
    "AddImage", "FindImage", "GetImage", "GetImages", "RemoveImage", "Statistics", "UpdateImageInfo",  # Kivicube's
    "AuthenticationFailure", "BadImage", "Date", "Fail", "InactiveProject", "ProjectHasNoApiAccess", "ProjectSuspended",
    "DateRangeError", "RequestQuotaReached", "RequestTimeTooSkewed", "Success", "TargetCreated", "TargetNameExist",
    "TargetQuotaReached", "TargetStatusNotSuccess", "TargetStatusProcessing", "TooManyRequests",
    "UnknownTarget",  # Vuforia's
    "HttpOnly", "Secure",  # of cookies
    "TinyGrey",  # made in the guide
    "TypedDict",
}  # fmt: skip
"""Names of others, which look like classes of ours."""
EXAMPLES = {"benchmarks/compare/parts/shortlists/tiny_grey.py", "benchmarks.compare.parts.shortlists.tiny_grey"}
"""What a reader makes."""


@functools.cache
def python_files() -> tuple[Path, ...]:
    """All of the packages and of the tests."""
    return tuple(path for package in (*PACKAGES, "tests") for path in sorted((ROOT / package).rglob("*.py")))


def prose(page: str) -> str:
    """The page without blocks of code, and without the column of what is gone."""
    lines, gone = [], False
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in text.splitlines():
        gone = line.startswith("| before |") or (gone and line.startswith("|"))
        lines.append(line.split("|", 2)[2] if gone else line)
    return "\n".join(lines)


def named(page: str) -> list[str]:
    """What stands in backticks, each once."""
    return list(dict.fromkeys(re.findall(r"`([^`\n]+)`", prose(page))))


@functools.cache
def members() -> dict[str, set[str]]:
    """What all modules define, by name: of classes their members, of functions and constants nothing."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                for name in _defined(node):
                    found.setdefault(name, set())
                if isinstance(node, ast.ClassDef):
                    found[node.name] |= {name for part in node.body for name in _defined(part)} | _of_self(node)
    return found


def _defined(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))


def _of_self(node: ast.ClassDef) -> set[str]:
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and isinstance(part.value, ast.Name)
        and part.value.id == "self"
    }


@functools.cache
def names_of(module: str) -> frozenset[str] | None:
    """What can be imported from a module or package; None where there is none."""
    place = ROOT / module.replace(".", "/")
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not file.is_file():
        return None
    names = (
        {path.stem for path in place.iterdir() if path.suffix == ".py" or path.is_dir()} if place.is_dir() else set()
    )
    for node in ast.parse(file.read_text()).body:
        names.update(_defined(node))
        if isinstance(node, ast.ImportFrom | ast.Import):
            names.update(alias.asname or alias.name for alias in node.names)
    return frozenset(names)


def resolves(dotted: str) -> bool:
    """Whether `package.module.Name.member`, cut short anywhere, is there."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        names = names_of(".".join(parts[:length]))
        if names is None:
            continue
        rest = parts[length:]
        if not rest:
            return True
        return rest[0] in names and (len(rest) == 1 or (len(rest) == 2 and rest[1] in members().get(rest[0], ())))
    return False


@pytest.mark.parametrize("page", PAGES)
class TestNames:
    def test_files(self, page: str) -> None:
        """A path into the checkout leads to a file or folder, a file's bare name to one of that name."""
        ours = {*PACKAGES, "tests", "docs"}
        wrong = []
        for name in named(page):
            if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", name) is None or name in EXAMPLES:
                continue
            if "/" in name and name.split("/")[0] in ours:
                if not (ROOT / name).exists():
                    wrong.append(name)
            elif name.endswith(".py") and name not in {file.name for file in python_files()}:
                wrong.append(name)
        assert wrong == []

    def test_modules(self, page: str) -> None:
        """A dotted name that begins with a package of ours can be imported; so can what `python -m` runs."""
        dotted = [
            match[1]
            for name in named(page)
            if (match := re.match(rf"((?:{'|'.join(PACKAGES)})(?:\.\w+)+)(?:\(|:|$)", name))
        ]
        dotted += re.findall(r"python -m ([\w.]+)", (ROOT / page).read_text("utf-8"))
        assert [name for name in dotted if name not in EXAMPLES and not resolves(name)] == []

    def test_classes(self, page: str) -> None:
        """A name like `Class` or `Class.member` is ours or listed as foreign, and the member is in the class."""
        wrong = []
        for name in named(page):
            match = re.match(r"([A-Z][a-z]\w*)(?:\.(\w+))?(?:\(|$)", name)
            if match is None or name in FOREIGN or hasattr(builtins, name):
                continue
            inside = members().get(match[1])
            if inside is None or (match[2] is not None and match[2] not in inside):
                wrong.append(name)
        assert wrong == []

    def test_constants(self, page: str) -> None:
        """A name of capitals with a line below is a constant of ours or a variable of the environment."""
        source = "\n".join(file.read_text() for file in python_files())
        wrong = [name for name in named(page) if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", name) and name not in source]
        assert wrong == []

    def test_examples(self, page: str) -> None:
        """What examples in Python import from our packages, or name as MODULE:NAME, is there."""
        wrong = []
        for code in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL):
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
                    wrong += [a.name for a in node.names if not resolves(f"{node.module}.{a.name}")]
                if isinstance(node, ast.Constant) and re.fullmatch(r"\w+(\.\w+)+:\w+", str(node.value)):
                    module = str(node.value).split(":")[0]
                    wrong += [module] if module not in EXAMPLES and not resolves(module) else []
        assert wrong == []


class TestHouse:
    TEXT = (ROOT / "docs" / "house.md").read_text("utf-8")

    def test_rooms(self) -> None:
        """Every folder that is drawn exists, and every folder of a package is drawn."""
        drawing = re.findall(r"^```\n(engine/.*?)^```", self.TEXT, re.MULTILINE | re.DOTALL)[0]
        package, drawn = "", set()
        for line in drawing.splitlines():
            match = re.match(r"( *)(\S+) ", line)
            assert match, line
            if not match[1]:
                package = match[2]
            drawn.add(match[2] if not match[1] else package + match[2])
        assert [place for place in drawn if not (ROOT / place).exists()] == []
        inside = [path.relative_to(ROOT).parts for path in python_files()]
        real = {"/".join(parts[:2]) + "/" for parts in inside if len(parts) > 2 and parts[0] in PACKAGES}
        assert real - drawn == set()

    def test_files_of_the_rooms(self) -> None:
        """Every file that the drawing names in passing is in its package."""
        drawing = re.findall(r"^```\n(engine/.*?)^```", self.TEXT, re.MULTILINE | re.DOTALL)[0]
        package, wrong = "", []
        for line in drawing.splitlines():
            package = package if line.startswith(" ") else line.split("/")[0]
            wrong += [name for name in re.findall(r"\w+\.py", line) if not (ROOT / package / name).exists()]
        assert wrong == []

    def test_levels(self) -> None:
        """The page's levels are those that the imports are held to."""
        drawn = [set(match[1].split()) for match in re.finditer(r"^\d  (.*)$", self.TEXT, re.MULTILINE)]
        assert drawn == list(LEVELS)

    def test_paths(self) -> None:
        """The functions that both paths go through exist."""
        paths = self.TEXT.split("## The path of a photo", 1)[1].split("## Who owns state", 1)[0]
        functions = re.findall(r"`([a-z_]+)`", paths)
        assert len(functions) > 20
        assert [name for name in functions if name not in members()] == []
