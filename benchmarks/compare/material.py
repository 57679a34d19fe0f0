"""What a comparison looks at: the gallery's pictures and the photos, whether they come as sets or as two folders."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sets import EvaluationSet, identifier_of
from engine.errors import ImageError, ResearchError
from engine.image import decode
from engine.image_files import LIMITS, list_pictures
from engine.values import ColorImage

DISTRACTORS = "distractors"
"""What stands for a set's name where a picture belongs to none."""
SMALL_SIDE = 640
"""Long side that pictures and photos are decoded for; every method sees the same pixels."""


@dataclass(frozen=True, slots=True)
class ComparedPicture:
    """A picture of the gallery that methods search."""

    set: str
    """Name of the set that it belongs to, or DISTRACTORS."""
    ref: str
    """Its path below that set's refs/, or below the folder of distractors."""
    path: Path
    """The file."""
    sha: str
    """SHA-256 of the file's bytes, hexadecimal."""

    def named_in(self, set_name: str) -> str:
        """How predictions for that set's photos write it."""
        return self.ref if set_name == self.set else f"//{self.set}/{self.ref}"

    @property
    def identifier(self) -> str:
        return identifier_of(f"{self.set}/{self.ref}")


@dataclass(frozen=True, slots=True)
class ComparedPhoto:
    """A photo that methods are asked."""

    set: str
    """Name of the set that it belongs to."""
    query: str
    """Its path below that set's queries/."""
    path: Path
    """The file."""
    sha: str
    """SHA-256 of the file's bytes, hexadecimal."""
    right: frozenset[str]
    """References of its set that answer it rightly; none for a negative."""


@dataclass(frozen=True)
class Material:
    """What one comparison looks at; pictures are numbered by their place."""

    sets: tuple[EvaluationSet, ...]
    """The sets that pictures and photos come from, without distractors."""
    pictures: tuple[ComparedPicture, ...]
    """The gallery: the references of all sets, then the distractors."""
    photos: tuple[ComparedPhoto, ...]
    """The photos of all sets, in the sets' order."""
    refused: dict[str, str]
    """Paths of files that cannot be read as images, with the reason."""


def gather(
    sets: Sequence[EvaluationSet],
    distractors: Sequence[Path],
    *,
    limit: int | None = None,
    known: dict[str, str] | None = None,
) -> Material:
    """References of all sets, then the distractor folders' pictures (at most `limit` of each); photos of the sets
    in order. known: why a file with that SHA-256 cannot be read, "" where it can; what is tried is added. Raises
    ResearchError where two sets share a name, or nothing can be asked."""
    known = {} if known is None else known
    names = [s.name for s in sets]
    if len(set(names)) < len(names) or DISTRACTORS in names:
        raise ResearchError(f"sets need names of their own, and none may be called {DISTRACTORS}: {', '.join(names)}")
    refused: dict[str, str] = {}
    pictures: list[ComparedPicture] = []
    for one in sets:
        for path in one.references():
            _take(pictures, one.name, str(path.relative_to(one.folder / "refs")), path, refused, known)
    for number, folder in enumerate(distractors):
        # Two folders may hold the same names.
        prefix = "" if len(distractors) == 1 else f"{number}-{folder.resolve().name}/"
        for path in list_pictures(folder)[:limit]:
            _take(pictures, DISTRACTORS, f"{prefix}{path.relative_to(folder)}", path, refused, known)
    photos: list[ComparedPhoto] = []
    for one in sets:
        for query, right in sorted(one.truth.items()):
            path = one.folder / "queries" / query
            sha, reason = _tried(path, known)
            if reason:
                refused[str(path)] = reason
            else:
                photos.append(ComparedPhoto(one.name, query, path, sha, right))
    if not pictures or not photos:
        what, where = "pictures" if not pictures else "photos", ", ".join(names) or "no sets"
        raise ResearchError(f"no readable {what} in {where}; see docs/compare.md for the layout")
    return Material(tuple(sets), tuple(pictures), tuple(photos), refused)


def _take(
    pictures: list[ComparedPicture], set_name: str, ref: str, path: Path, refused: dict[str, str], known: dict[str, str]
) -> None:
    sha, reason = _tried(path, known)
    if reason:
        refused[str(path)] = reason
    else:
        pictures.append(ComparedPicture(set_name, ref, path, sha))


def _tried(path: Path, known: dict[str, str]) -> tuple[str, str]:
    """The SHA-256 of a file's bytes, and why it cannot be used, or nothing."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return "", str(error)
    sha = hashlib.sha256(data).hexdigest()
    if sha not in known:
        try:
            decode(data, long_side=SMALL_SIDE, limits=LIMITS)
            known[sha] = ""
        except ImageError as error:
            known[sha] = str(error)
    return sha, known[sha]


def read_small(path: Path) -> tuple[ColorImage, tuple[int, int]]:
    """Pixels with a long side of SMALL_SIDE, larger where the codec could not reduce and smaller where the file
    is, and the upright full size (width, height). Raises the ImageErrors and OSError."""
    return decode(path.read_bytes(), long_side=SMALL_SIDE, limits=LIMITS)


def pair_folders(pictures: Path, photos: Path, place: Path) -> Path:
    """Makes a set below `place` of two plain folders, by links and a truth.csv, and gives its folder.

    A photo shows the picture whose file stem it bears, alone (a.jpg), numbered (a_1.jpg, a-2.png) or as its
    folder's name (a/anything.jpg); other photos show none. Raises ResearchError where no photo shows any, or two
    pictures share a stem."""
    by_stem: dict[str, str] = {}
    for path in list_pictures(pictures):
        if path.stem in by_stem:
            raise ResearchError(f"two pictures are called {path.stem}: {by_stem[path.stem]} and {path}; rename one")
        by_stem[path.stem] = str(path.relative_to(pictures))
    rows: list[tuple[str, str]] = []
    for path in list_pictures(photos):
        query = path.relative_to(photos)
        names = [path.stem, *_unnumbered(path.stem), *reversed(query.parts[:-1])]
        shown = next((name for name in names if name in by_stem), None)
        rows.append((str(query), by_stem[shown] if shown else ""))
    if not any(ref for _, ref in rows):
        raise ResearchError(f"no photo in {photos} is named after a picture in {pictures}: a_1.jpg shows a.jpg")
    folder = place / pictures.resolve().name
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in (("refs", pictures), ("queries", photos)):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target.resolve(), target_is_directory=True)
    with (folder / "truth.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("query", "ref"), *rows])
    return folder


def _unnumbered(stem: str) -> list[str]:
    """The stem without the number at its end; nothing where it has none."""
    found = re.fullmatch(r"(.+)[_-]\d+", stem)
    return [found[1]] if found else []
