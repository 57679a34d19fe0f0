"""Adding many picture files: which are taken, under which identifiers, and what it will need.

    with Recognizer.open(Path("data")) as recognizer:
        recognizer.add_channel("covers")
        files, left_out = files_of([Path("covers")])
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
from collections.abc import Callable, Iterable, Iterator, Sequence
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


def files_of(paths: Iterable[Path]) -> tuple[list[Path], dict[Path, str]]:
    """Picture files, each once, and the reasons by path of what is left out. A file that is named is always taken; of a
    folder, those that are called like a picture or start like one, except hidden ones. Linked folders are followed,
    once."""
    found: dict[Path, None] = {}
    left_out: dict[Path, str] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(_pictures_below(path, left_out))))
        elif path.exists():
            found[path] = None
        else:
            left_out[path] = "no such file or folder"
    return list({path.resolve(): path for path in found}.values()), left_out


def _pictures_below(folder: Path, left_out: dict[Path, str]) -> Iterator[Path]:
    waiting, seen = [folder], set()
    while waiting:
        place = waiting.pop()
        try:
            real = place.resolve(strict=True)
            if real in seen:
                continue
            seen.add(real)
            entries = sorted(place.iterdir())
        except OSError as error:  # links that lead in a circle are one, too
            left_out[place] = reason_of(error)
            continue
        for path in entries:
            if path.name.startswith("."):
                continue
            try:
                if path.is_dir():
                    if path.is_symlink() and real.is_relative_to(path.resolve()):
                        left_out[path] = "a link to a folder that it lies in"
                    else:
                        waiting.append(path)
                elif path.is_symlink() and not path.exists():
                    left_out[path] = "a link to what is not there"
                elif path.is_file() and (path.suffix.lower() in PICTURE_SUFFIXES or _starts_like_an_image(path)):
                    yield path
            except OSError as error:
                left_out[path] = reason_of(error)


def _starts_like_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            sniff(file.read(128))
    except NotAnImage:
        return False
    return True


# Under which identifiers


def identifier_of(path: Path) -> str:
    """The file's name without suffix, made legal: other characters become "_", 3 to 50 of them."""
    return _legal(path.stem)


def _wanted(path: Path) -> str:
    """The identifier that a file should have: where no letter or digit is left of its name, its folder's says more."""
    own, folder = _legal(path.stem), _legal(path.absolute().parent.name)
    return folder if _says_nothing(own) and not _says_nothing(folder) else own


def _legal(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9@_.]", "_", name)[:LONGEST].ljust(SHORTEST, "_")


def _says_nothing(identifier: str) -> bool:
    return re.search(r"[A-Za-z0-9]", identifier) is None


def present_in(recognizer: Recognizer, channel: str) -> Iterator[Picture]:
    """The pictures that a channel has already."""
    return (picture for picture in recognizer.catalogue.all_pictures() if picture.channel == channel)


def plan(
    files: Sequence[Path], present: Iterable[Picture], *, tell: Callable[[], None] = lambda: None
) -> list[Planned]:
    """Identifiers for `files`, beside the pictures that the channel has already. tell: called after each file; one
    whose name is taken is read, to see whether it is the same picture from a folder that was moved since."""
    taken: dict[str, str | None] = {}
    by_source: dict[str, str] = {}
    for picture in present:
        taken[picture.identifier] = picture.facts.get("sha256")
        if "source" in picture.facts and "sha256" in picture.facts:
            by_source[picture.facts["source"]] = picture.identifier
    by_digest: dict[str, list[str]] = {}
    for identifier, digest in taken.items():
        if digest is not None:
            by_digest.setdefault(digest, []).append(identifier)
    last: dict[str, int] = {}
    planned = []
    for path in files:
        planned.append(_planned(path, taken, by_source, by_digest, last))
        tell()
    return planned


def _planned(
    path: Path,
    taken: dict[str, str | None],
    by_source: dict[str, str],
    by_digest: dict[str, list[str]],
    last: dict[str, int],
) -> Planned:
    """taken: digests by identifier, which the new one joins; last: the highest number given to each wanted name."""
    source = str(path.resolve())
    if source in by_source:
        identifier = by_source[source]
        return Planned(path=path, identifier=identifier, known_sha256=taken[identifier])
    wanted = _wanted(path)
    if wanted in taken:
        for known in by_digest.get(_sha256_of_file(path) or "", ()):
            ending = known[known.rfind("_") :]
            numbered = re.fullmatch(r"_\d+", ending) and known == wanted[: LONGEST - len(ending)] + ending
            if known == wanted or numbered:
                return Planned(path=path, identifier=known, known_sha256=taken[known])
    identifier, number = wanted, last.get(wanted, 1)
    while identifier in taken:
        number += 1
        ending = f"_{number}"
        identifier = wanted[: LONGEST - len(ending)] + ending
    last[wanted] = number
    taken[identifier] = None
    return Planned(path=path, identifier=identifier, numbered=number > 1)


def originals_of(files: Sequence[Path], present: Iterable[Picture]) -> dict[str, Path]:
    """The files that pictures were made of, by identifier: those that a picture remembers, and else those that are
    called like one."""
    called = {_wanted(path): path for path in reversed(files)}
    remembered = {item.identifier: item.path for item in plan(files, present) if item.known_sha256 is not None}
    return {**called, **remembered}


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
        except IdentifierTaken as error:
            # Another import may have added the very file since the plan was made.
            same = recognizer.get(channel, item.identifier).facts.get("sha256") == sha256(content)
            return None if same else Refused(reason_of(error), taken=True)
        except (ImageError, GalleryError, OSError) as error:
            return Refused(reason_of(error))
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
