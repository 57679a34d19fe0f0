"""Adding many picture files: which are taken, under which identifiers, and what it will need.

    with Recognizer.open(Path("data")) as recognizer:
        recognizer.add_channel("covers")
        files, missing = files_of([Path("covers")])
        planned = plan(files, present_in(recognizer, "covers"))
        for item, outcome in add_all(recognizer, "covers", planned, workers=processors()):
            if isinstance(outcome, Refused):
                print(f"{item.path}: {outcome.reason}")

The plan is made before anything is added, so that the same folder gives the same identifiers in every run:
an import that was stopped goes on where it was. Each added picture remembers its file (`facts`: "source",
the path, and "sha256", of the bytes).
"""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.catalogue import Picture
from engine.describe.records import RECORD_BYTES
from engine.errors import GalleryError, IdentifierTaken, ImageError, NotAnImage, QuotaExceeded
from engine.image import sniff
from engine.image_files import PICTURE_SUFFIXES
from engine.recognizer import Recognizer
from engine.shortlist import votes

SHORTEST, LONGEST = 3, 50
"""Characters of an identifier."""
RENDITION_BYTES = 70_000
"""A kept JPEG of 640 pixels: mean of posters and packages, some are twice as large."""
CATALOGUE_BYTES = 1_500
"""What a picture's row, its log entry and its share of the tables' indexes take on disk."""
_AT_ONCE = 1000
"""Files that are handed to the workers at a time: a million waiting tasks would take a gigabyte."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A file and the identifier that its picture gets."""

    path: Path
    identifier: str
    numbered: bool = False
    """Whether the file's name alone was taken by another picture."""
    known_sha256: str | None = None
    """Digest of what was added from this file before; None for a new one."""

    def facts(self, data: bytes) -> dict[str, Any]:
        """What the picture remembers of its file."""
        return {"source": str(self.path.resolve()), "sha256": sha256(data)}


@dataclass(frozen=True)
class Refused:
    """Why a file was not added."""

    reason: str
    taken: bool = False
    """Whether a picture of that identifier is there, of which the plan did not know."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a bulk import will need, in bytes."""

    memory: int
    """All indexes of a gallery of that size, mapped files included."""
    disk: int
    """What the new pictures add."""
    free: int
    """Room on the disk that holds the folder."""

    @property
    def fits(self) -> bool:
        return self.disk < self.free


# Which files


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
        if not hidden and path.is_file() and (path.suffix.lower() in PICTURE_SUFFIXES or _starts_like_an_image(path)):
            yield path


def _starts_like_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            sniff(file.read(16))
    except (NotAnImage, OSError):
        return False
    return True


# Under which identifiers


def identifier_of(path: Path) -> str:
    """The file's name without suffix, made legal: other characters become "_", 3 to 50 of them."""
    return re.sub(r"[^A-Za-z0-9@_.]", "_", path.stem)[:LONGEST].ljust(SHORTEST, "_")


def present_in(recognizer: Recognizer, channel: str) -> Iterator[Picture]:
    """The pictures that a channel has already."""
    return (picture for picture in recognizer.catalogue.all_pictures() if picture.channel == channel)


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


# What it needs, and doing it


def predict(recognizer: Recognizer, *, new: int) -> Prediction:
    """For a gallery that gets `new` pictures more."""
    count = sum(recognizer.catalogue.counts().values()) + new
    dimension = recognizer.model.vocabulary.global_dimension
    indexed = RECORD_BYTES + dimension + votes.settings_for(count).bytes_per_picture
    rendition = RENDITION_BYTES if recognizer.settings.keep_pictures else 0
    stored = RECORD_BYTES + dimension + CATALOGUE_BYTES + rendition
    free = shutil.disk_usage(recognizer.folder).free
    return Prediction(memory=count * indexed, disk=new * (indexed + stored), free=free)


def add_all(
    recognizer: Recognizer, channel: str, planned: Iterable[Planned], *, workers: int
) -> Iterator[tuple[Planned, Picture | Refused | None]]:
    """Adds the files to a channel that exists, so many at the same time. Gives each, in the order of the plan, with
    its picture, with None where it was there already, or with the reason why it is refused.

    Raises QuotaExceeded and StorageFull: no later file would fare better.
    """

    def one(item: Planned) -> Picture | Refused | None:
        try:
            content = item.path.read_bytes()
            if item.known_sha256 is None:
                return recognizer.add(channel, item.identifier, content, facts=item.facts(content))
        except QuotaExceeded:
            raise
        except (ImageError, GalleryError, OSError) as error:
            return Refused(reason_of(error), taken=isinstance(error, IdentifierTaken))
        if sha256(content) == item.known_sha256:
            return None
        return Refused(f"changed since it was added as {item.identifier}; remove that first")

    pool = ThreadPoolExecutor(workers)
    try:
        remaining = iter(planned)
        while chunk := list(itertools.islice(remaining, _AT_ONCE)):
            yield from zip(chunk, pool.map(one, chunk), strict=True)
    finally:
        pool.shutdown(cancel_futures=True)  # who stops early need not wait for files that nobody has begun


def reason_of(error: Exception) -> str:
    """Why a file is refused, without its name."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
