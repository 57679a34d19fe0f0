"""What the engine found for each evaluation photo, kept so that fits and scores need no second run."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.sets import CHANNEL, EvaluationSet, side_of
from engine.catalogue import Channel, Picture
from engine.describe.keypoints import DetectorSettings
from engine.errors import PictureNotFound, TooFewFeatures
from engine.judge.calibration import Calibration, answer_figures
from engine.judge.decision import pair_rivals, same_picture
from engine.judge.look_alikes import NO_RIVAL, UNMET, Duel, compare_rivals
from engine.recognise.pipeline import LOOKS
from engine.recognizer import Recognizer
from engine.timing import Clock
from engine.values import ColorImage
from engine.verify.evidence import Evidence

LOOK_SIZES = (1.0, 0.92, 1.08, 0.96, 1.04)
"""Sizes of a photo at the looks that a fit takes at it, in shares of the size that is served: each finds other
keypoints, and which of two look-alikes comes out ahead is often no more than that (docs/decisions/0010)."""


@dataclass(frozen=True)
class Outcome:
    """What one look at one photo found."""

    set: str
    query: str
    right: list[str]
    """Identifiers of the right pictures."""
    allowed: list[str]
    """Identifiers of pictures that are visible too: naming one is neither right nor wrong."""
    hard: bool
    side: str
    """"fit" or "report"."""
    candidates: list[tuple[str, dict[str, float]]]
    """(identifier, figures) of the verified ones, most inliers first."""
    twins: list[list[int]]
    """For each candidate the positions of those that are the same stored picture."""
    duels: dict[str, dict[str, float]]
    """Figures of candidate i against j under the key "i,j"."""
    level: int
    """The highest of the right pictures', 0 where there is none."""
    timings_ms: dict[str, float]
    left_out: bool = False
    """Whether the right pictures, and stored copies of them, were taken out of the gallery for this look: `right` is
    empty then, and any answer is a false one."""


@dataclass(frozen=True)
class Answer:
    """The best candidate by the calibration: identifier (None where nothing verified) and match ratio."""

    identifier: str | None
    match_ratio: float


def collect(
    recognizer: Recognizer,
    sets: Sequence[EvaluationSet],
    *,
    side: str | None = None,
    looks: int = 1,
    leave_one_out: bool = False,
) -> Iterator[Outcome]:
    """Runs every photo of the sets, or of one `side` of them, one at a time, each with the first `looks` of
    LOOK_SIZES; the first is what is served. leave_one_out: each look at a photo of a gallery picture is followed by
    one in which that picture is not in the gallery."""
    channel = recognizer.catalogue.channel(CHANNEL)
    for evaluation, query in photos_of(sets, side):
        photo = (evaluation.folder / "queries" / query).read_bytes()
        for size in LOOK_SIZES[:looks]:
            outcome, copies = _look(recognizer, channel, evaluation, query, photo, size)
            yield outcome
            if leave_one_out and copies:
                yield _look(recognizer, channel, evaluation, query, photo, size, without=copies)[0]


def photos_of(sets: Sequence[EvaluationSet], side: str | None) -> list[tuple[EvaluationSet, str]]:
    """Each photo of one side, None: of both, with its set."""
    return [(s, q) for s in sets for q, refs in sorted(s.truth.items()) if side in (None, side_of(q, refs))]


def _look(
    recognizer: Recognizer,
    channel: Channel,
    evaluation: EvaluationSet,
    query: str,
    photo: bytes,
    size: float,
    *,
    without: Collection[int] = (),
) -> tuple[Outcome, set[int]]:
    """And the numbers of the right pictures and of their copies, as far as these were verified beside them."""
    references, clock = evaluation.truth[query], Clock()
    right = {evaluation.identifier(r) for r in references}
    first, distant, closer = (_resized(detector, size) for detector in LOOKS)
    found: list[Evidence] = []
    twins: list[list[int]] = []
    duels: dict[str, dict[str, float]] = {}
    try:
        examined = recognizer.examine(
            photo, [channel], clock=clock, detectors=(first, distant, closer), without=without
        )
        with clock.stage("judge"):
            recognizer.judge(examined)
        found = examined.found
        twins = [[j for j, b in enumerate(found) if j != i and same_picture(a, b)] for i, a in enumerate(found)]
        duels = _duels(found, twins, examined.image)
    except TooFewFeatures:
        pass  # a photo without structure shows nothing
    known = recognizer.catalogue.pictures_by_id([one.candidate.picture_id for one in found])
    names = [known[one.candidate.picture_id].identifier for one in found]
    mine = {one.candidate.picture_id for one, name in zip(found, names, strict=True) if name in right}
    copies = {found[j].candidate.picture_id for i, name in enumerate(names) if name in right for j in twins[i]}
    stored = [picture for r in sorted(right) if (picture := _stored(recognizer, r)) is not None]
    numbers = mine | copies | {picture.id for picture in stored}
    outcome = Outcome(
        evaluation.name,
        query,
        [] if without else sorted(right),
        sorted(evaluation.identifier(r) for r in evaluation.also_visible.get(query, ())),
        query in evaluation.hard,
        side_of(query, references),
        list(zip(names, [one.figures for one in found], strict=True)),
        twins,
        duels,
        max((picture.level for picture in stored), default=0),
        clock.milliseconds,
        bool(without),
    )
    return outcome, numbers


def _resized(detector: DetectorSettings, size: float) -> DetectorSettings:
    return replace(detector, long_side=round(size * detector.long_side))


def _stored(recognizer: Recognizer, identifier: str) -> Picture | None:
    """None for a reference that was refused: its photos are misses."""
    try:
        return recognizer.get(CHANNEL, identifier)
    except PictureNotFound:
        return None


def _duels(found: Sequence[Evidence], twins: Sequence[Sequence[int]], photo: ColorImage) -> dict[str, dict[str, float]]:
    """All pairs, since a new fit may order the candidates anew."""
    return {
        f"{i},{j}": vars(compare_rivals(a, b, photo))
        for i, a in enumerate(found)
        for j, b in enumerate(found)
        if i != j and j not in twins[i]
    }


def answer_rows(outcome: Outcome, calibration: Calibration) -> list[tuple[str, dict[str, float]]]:
    """(identifier, what the answer model reads) of each candidate against its rival, as
    `engine.judge.decision.judge` pairs them."""
    logits = [calibration.pair_logit(figures) for _, figures in outcome.candidates]
    paired = pair_rivals(logits, lambda i, j: j in outcome.twins[i])
    rows = []
    for i, rival in paired.rivals.items():
        met, runner_up = NO_RIVAL, None
        if rival is not None:
            figures = outcome.duels.get(f"{i},{rival}") if (i, rival) in paired.duels else None
            met = Duel(**figures) if figures else UNMET
            runner_up = logits[rival]
        rows.append((outcome.candidates[i][0], answer_figures(logits[i], runner_up, met)))
    return rows


def answer(outcome: Outcome, calibration: Calibration) -> Answer:
    """As `Recognizer.recognise` would."""
    rated = [(calibration.answer_ratio(figures), name) for name, figures in answer_rows(outcome, calibration)]
    ratio, name = max(rated, key=lambda pair: pair[0], default=(0.0, None))
    return Answer(name, round(ratio, 2))


def write_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(asdict(o)) + "\n" for o in outcomes)


def read_outcomes(path: Path) -> list[Outcome]:
    with path.open() as file:
        return [Outcome(**json.loads(line)) for line in file]
