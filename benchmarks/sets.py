"""Evaluation sets: folders with refs/, queries/ and truth.csv, put together in one gallery."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tables_in import read_table
from engine.errors import ResearchError
from engine.image_files import PICTURE_SUFFIXES, list_pictures
from engine.recognizer import Recognizer
from engine.upkeep.bulk_import import Planned, Refused, add_all

CHANNEL = "evaluation"
_KINDS = ("queries", "refs")


@dataclass(frozen=True)
class EvaluationSet:
    """A folder of references, photos and the truth about them."""

    name: str
    folder: Path
    truth: dict[str, frozenset[str]]
    """The right references of each query, none for a photo that must match nothing."""
    hard: frozenset[str]
    """Negatives that share printed parts with a reference."""
    also_visible: dict[str, frozenset[str]]
    """References that an answer may name without being right or wrong."""

    def references(self) -> list[Path]:
        return list_pictures(self.folder / "refs")

    def identifier(self, reference: str) -> str:
        return identifier_of(f"{self.name}/{reference}")


def identifier_of(name: str) -> str:
    """A legal, unique identifier of any name."""
    return "p" + hashlib.sha256(name.encode()).hexdigest()[:24]


def read_set(folder: Path, *, with_files: bool = True) -> EvaluationSet:
    """with_files: every photo and reference that the set names must be there; False, where only names are needed.

    Raises FileNotFoundError where truth.csv is missing, ResearchError where a file cannot be read or names what is not
    there: it would be counted as the method's mistake."""
    files = None
    if with_files:
        names = {
            kind: {p.relative_to(folder / kind).as_posix() for p in list_pictures(folder / kind)} for kind in _KINDS
        }
        files = names["queries"], names["refs"]
    truth = _pairs(folder / "truth.csv", files)
    hard_path, visible_path = folder / "hard_negatives.csv", folder / "also_visible.csv"
    hard = {row["query"]: line for line, row in read_table(hard_path, ("query",))} if hard_path.exists() else {}
    if stray := next((query for query in hard if query not in truth), None):
        raise ResearchError(f"{hard_path}, line {hard[stray]}: {stray!r} is not in truth.csv")
    visible = _pairs(visible_path, files) if visible_path.exists() else {}
    return EvaluationSet(folder.resolve().name, folder, truth, frozenset(hard), visible)


def _pairs(path: Path, files: tuple[set[str], set[str]] | None) -> dict[str, frozenset[str]]:
    """References by query. files: names below queries/ and refs/; None: they are not looked for."""
    found: dict[str, set[str]] = {}
    for line, row in read_table(path, ("query", "ref")):
        found.setdefault(row["query"], set())
        if row["ref"]:
            found[row["query"]].add(row["ref"])
        if files is not None:
            for kind, name, there in zip(_KINDS, (row["query"], row["ref"]), files, strict=True):
                if name not in there and (name or kind == "queries"):
                    raise ResearchError(f"{path}, line {line}: {_not_there(path.parent / kind, name, there)}")
    return {query: frozenset(refs) for query, refs in found.items()}


def _not_there(folder: Path, name: str, there: set[str]) -> str:
    """Why a name does not lead to a picture, with the one that was probably meant: names differ in case, in how accents
    are composed (NFC and NFD), and in the direction of slashes."""
    if not name:
        return "the photo's name is empty"
    if (folder / name).is_file():
        return f"{name!r} is called like no picture ({', '.join(sorted(PICTURE_SUFFIXES))})"

    def plain(text: str) -> str:
        return unicodedata.normalize("NFC", text.replace("\\", "/")).casefold()

    near = next((other for other in sorted(there) if plain(other) == plain(name)), None)
    return f"{folder} holds no {name!r}" + (f"; it holds {near!r}" if near else "")


def side_of(query: str, references: frozenset[str]) -> str:
    """ "fit" or "report": objects are divided by a hash of the reference's name (negatives: the query's), so
    that no object is on both sides."""
    name = min(references) if references else query
    return "fit" if hashlib.sha256(name.encode()).digest()[0] % 2 else "report"


def fill(
    recognizer: Recognizer, sets: Sequence[EvaluationSet], distractors: Iterable[Path], *, workers: int = 2
) -> dict[str, str]:
    """Adds all references and the distractor pictures to one channel; gives what was refused, with reasons.
    Pictures that are there already stay."""
    wanted = [(s.identifier(str(p.relative_to(s.folder / "refs"))), p) for s in sets for p in s.references()]
    wanted += [(identifier_of(str(p)), p) for p in distractors]
    if CHANNEL not in recognizer.catalogue.counts():
        recognizer.add_channel(CHANNEL)
    planned = [Planned(path=path, identifier=identifier) for identifier, path in wanted]
    refused: dict[str, str] = {}
    for item, outcome in add_all(recognizer, CHANNEL, planned, workers=workers):
        if isinstance(outcome, Refused) and not outcome.taken:
            refused[str(item.path)] = outcome.reason
    recognizer.index.wait_for_builds()
    return refused
