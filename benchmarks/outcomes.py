"""What the engine found for each evaluation photo, kept so that fits and scores need no second run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.sets import CHANNEL, EvaluationSet, side_of
from engine.calibration import Calibration
from engine.image import decode
from engine.keypoints import PHOTO_DETECTOR, resize_long_side
from engine.local_features import describe_photo
from engine.recognizer import Clock, Recognizer


@dataclass(frozen=True)
class Outcome:
    """One photo. right: identifiers of the right pictures; allowed: of those that are visible too;
    candidates: (identifier, figures) of the verified ones, best first pass order; twins: for each candidate
    the positions of those that are the same stored picture; side: "fit" or "report"."""

    set: str
    query: str
    right: list[str]
    allowed: list[str]
    hard: bool
    side: str
    candidates: list[tuple[str, dict[str, float]]]
    twins: list[list[int]]
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
            with clock.stage("decode"):
                data = (evaluation.folder / "queries" / query).read_bytes()
                decoded, size = decode(data, long_side=PHOTO_DETECTOR.long_side, limits=recognizer.settings.limits)
                image = resize_long_side(decoded, PHOTO_DETECTOR.long_side)
            with clock.stage("describe"):
                features = describe_photo(image, recognizer.model)
            search = recognizer.rank(image, size, features, number, clock=clock)
            found = recognizer.verify(search, clock=clock)
            if recognizer.needs_second_look(found):
                search = recognizer.rank(image, size, features, number, windows=True, clock=clock)
                found = recognizer.verify(search, clock=clock)
            known = recognizer.catalogue.pictures_by_id([v.candidate.picture_id for v in found])
            yield Outcome(
                evaluation.name,
                query,
                sorted(evaluation.identifier(r) for r in references),
                sorted(evaluation.identifier(r) for r in evaluation.also_visible.get(query, ())),
                query in evaluation.hard,
                side_of(query, references),
                [(known[v.candidate.picture_id].identifier, v.figures) for v in found],
                [[j for j, b in enumerate(found) if j != i and recognizer.same_picture(a, b)] for i, a in enumerate(found)],
                clock.milliseconds,
            )


def answer(outcome: Outcome, calibration: Calibration) -> Answer:
    """As `Recognizer.recognise` would."""
    logits = [calibration.pair_logit(figures) for _, figures in outcome.candidates]
    best = Answer(None, 0.0)
    for i in sorted(range(len(logits)), key=lambda i: -logits[i]):
        others = [logits[j] for j in range(len(logits)) if j != i and j not in outcome.twins[i]]
        ratio = calibration.match_ratio(logits[i], max(others, default=-10.0))
        if ratio > best.match_ratio:
            best = Answer(outcome.candidates[i][0], ratio)
    return best


def write_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(asdict(o)) + "\n" for o in outcomes)


def read_outcomes(path: Path) -> list[Outcome]:
    with path.open() as file:
        return [Outcome(**json.loads(line)) for line in file]
