"""What the engine found for each evaluation photo, kept so that fits and scores need no second run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.sets import CHANNEL, EvaluationSet, side_of
from engine.calibration import Calibration, answer_figures
from engine.errors import PictureNotFound, TooFewFeatures
from engine.recognizer import Recognizer
from engine.rivals import NO_RIVAL, UNMET, Duel
from engine.searching import Clock
from engine.values import ColorImage
from engine.verification import Looked, meet


@dataclass(frozen=True)
class Outcome:
    """One photo. right: identifiers of the right pictures; allowed: of those that are visible too;
    candidates: (identifier, figures) of the verified ones, most inliers first; twins: for each candidate the
    positions of those that are the same stored picture; duels: figures of candidate i against j under the
    key "i,j"; level: the highest of the right pictures', 0 where there is none; side: "fit" or "report"."""

    set: str
    query: str
    right: list[str]
    allowed: list[str]
    hard: bool
    side: str
    candidates: list[tuple[str, dict[str, float]]]
    twins: list[list[int]]
    duels: dict[str, dict[str, float]]
    level: int
    timings_ms: dict[str, float]


@dataclass(frozen=True)
class Answer:
    """The best candidate by the calibration: identifier (None where nothing verified) and match ratio."""

    identifier: str | None
    match_ratio: float


def collect(recognizer: Recognizer, sets: Sequence[EvaluationSet]) -> Iterator[Outcome]:
    """Runs every photo of the sets, one at a time."""
    number = [recognizer.catalogue.channel(CHANNEL).id]
    for evaluation in sets:
        for query, references in sorted(evaluation.truth.items()):
            clock = Clock()
            data = (evaluation.folder / "queries" / query).read_bytes()
            try:
                search, found = recognizer.searcher.examine(data, number, clock)
            except TooFewFeatures:
                search, found = None, []
            known = recognizer.catalogue.pictures_by_id([one.verified.candidate.picture_id for one in found])
            names = [known[one.verified.candidate.picture_id].identifier for one in found]
            twins = [
                [j for j, b in enumerate(found) if j != i and recognizer.searcher.same_picture(a, b)]
                for i, a in enumerate(found)
            ]
            duels: dict[str, dict[str, float]] = {}
            if search is not None:
                with clock.stage("judge"):
                    recognizer.searcher.judge(found, search.image)
                duels = _duels(found, twins, search.image)
            yield Outcome(
                evaluation.name,
                query,
                sorted(evaluation.identifier(r) for r in references),
                sorted(evaluation.identifier(r) for r in evaluation.also_visible.get(query, ())),
                query in evaluation.hard,
                side_of(query, references),
                list(zip(names, [one.figures for one in found], strict=True)),
                twins,
                duels,
                max((_level(recognizer, evaluation.identifier(r)) for r in references), default=0),
                clock.milliseconds,
            )


def _level(recognizer: Recognizer, identifier: str) -> int:
    """0 for a reference that was refused: its photos are misses."""
    try:
        return recognizer.get(CHANNEL, identifier).level
    except PictureNotFound:
        return 0


def _duels(found: Sequence[Looked], twins: Sequence[Sequence[int]], photo: ColorImage) -> dict[str, dict[str, float]]:
    """All pairs, since a new fit may order the candidates anew."""
    return {
        f"{i},{j}": vars(meet(a, b, photo))
        for i, a in enumerate(found)
        for j, b in enumerate(found)
        if i != j and j not in twins[i]
    }


def answer_rows(outcome: Outcome, calibration: Calibration) -> list[tuple[str, dict[str, float]]]:
    """(identifier, what the answer model reads) of each candidate against its rival, as
    `Recognizer.judge` pairs them."""
    logits = [calibration.pair_logit(figures) for _, figures in outcome.candidates]
    order = sorted(range(len(logits)), key=lambda i: -logits[i])
    rivals = {i: next((j for j in order if j != i and j not in outcome.twins[i]), None) for i in order}
    rows = []
    for i, rival in rivals.items():
        met, runner_up = NO_RIVAL, None
        if rival is not None:
            close = {i, rival} == {order[0], rivals[order[0]]}
            figures = outcome.duels.get(f"{i},{rival}") if close else None
            met = Duel(**figures) if figures else UNMET
            runner_up = logits[rival]
        rows.append((outcome.candidates[i][0], answer_figures(logits[i], runner_up, met)))
    return rows


def answer(outcome: Outcome, calibration: Calibration) -> Answer:
    """As `Recognizer.recognise` would."""
    rated = [(calibration.answer_ratio(figures), name) for name, figures in answer_rows(outcome, calibration)]
    ratio, name = max(rated, key=lambda pair: pair[0], default=(0.0, None))
    return Answer(name, ratio)


def write_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(asdict(o)) + "\n" for o in outcomes)


def read_outcomes(path: Path) -> list[Outcome]:
    with path.open() as file:
        return [Outcome(**json.loads(line)) for line in file]
