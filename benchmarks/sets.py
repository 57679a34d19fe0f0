"""Evaluation sets: folders with refs/, queries/ and truth.csv, put together in one gallery."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.image_files import list_pictures
from engine.recognizer import Recognizer
from engine.upkeep.bulk_import import Planned, Refused, add_all

CHANNEL = "evaluation"


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


def read_set(folder: Path) -> EvaluationSet:
    """Raises FileNotFoundError where truth.csv or a folder is missing."""
    hard: set[str] = set()
    if (folder / "hard_negatives.csv").exists():
        with (folder / "hard_negatives.csv").open(newline="") as file:
            hard = {row["query"] for row in csv.DictReader(file)}
    truth = _pairs(folder / "truth.csv")
    visible = _pairs(folder / "also_visible.csv") if (folder / "also_visible.csv").exists() else {}
    return EvaluationSet(folder.resolve().name, folder, truth, frozenset(hard), visible)


def _pairs(path: Path) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["query"], set())
            if row["ref"]:
                found[row["query"]].add(row["ref"])
    return {query: frozenset(refs) for query, refs in found.items()}


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
