"""Which files a bulk import takes, and under which identifiers.

The plan is made before anything is added, so that the same folder gives the same identifiers in every run:
an import that was stopped goes on where it was. Each added picture remembers its file (`facts`: "source",
the path, and "sha256", of the bytes).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.catalogue import Picture
from engine.errors import NotAnImage
from engine.image import sniff

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
SHORTEST, LONGEST = 3, 50
"""Characters of an identifier."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A file and its identifier. numbered: the file's name alone was taken by another picture; known_sha256:
    of what was added from this file before, None for a new one."""

    path: Path
    identifier: str
    numbered: bool = False
    known_sha256: str | None = None

    def facts(self, data: bytes) -> dict[str, Any]:
        return {"source": str(self.path.resolve()), "sha256": sha256(data)}


def files_of(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Picture files, each once, and the paths that do not exist. A file that is named is always taken; of a
    folder, those that are called like a picture or start like one, except hidden ones."""
    found: dict[Path, None] = {}
    missing = []
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(_pictures_below(path))))
        elif path.exists():
            found[path] = None
        else:
            missing.append(path)
    return list({path.resolve(): path for path in found}.values()), missing


def _pictures_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file() and (path.suffix.lower() in SUFFIXES or _starts_like_an_image(path)):
            yield path


def _starts_like_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            sniff(file.read(16))
    except (NotAnImage, OSError):
        return False
    return True


def identifier_of(path: Path) -> str:
    """The file's name without suffix, made legal: other characters become "_", 3 to 50 of them."""
    return re.sub(r"[^A-Za-z0-9@_.]", "_", path.stem)[:LONGEST].ljust(SHORTEST, "_")


def plan(files: Sequence[Path], present: Iterable[Picture]) -> list[Planned]:
    """Identifiers for `files`, beside the pictures that the channel has already."""
    taken: dict[str, str | None] = {}
    by_source: dict[str, str] = {}
    for picture in present:
        taken[picture.identifier] = picture.facts.get("sha256")
        if "source" in picture.facts and "sha256" in picture.facts:
            by_source[picture.facts["source"]] = picture.identifier
    planned = []
    for path in files:
        source = str(path.resolve())
        if source in by_source:
            identifier = by_source[source]
            planned.append(Planned(path=path, identifier=identifier, known_sha256=taken[identifier]))
            continue
        wanted = identifier = identifier_of(path)
        number = 1
        while identifier in taken:
            # The same picture under the same name, from a folder that was moved since.
            if taken[identifier] is not None and taken[identifier] == _sha256_of_file(path):
                break
            number += 1
            ending = f"_{number}"
            identifier = wanted[: LONGEST - len(ending)] + ending
        known = taken.setdefault(identifier, None)
        planned.append(Planned(path=path, identifier=identifier, numbered=number > 1, known_sha256=known))
    return planned


def _sha256_of_file(path: Path) -> str | None:
    try:
        return sha256(path.read_bytes())
    except OSError:
        return None  # it is refused, with this reason, when it is added


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
