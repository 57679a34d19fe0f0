"""Which verified candidate is the answer: rivals, duels, and the match ratio that they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from engine.judge.calibration import FURTHEST, Calibration
from engine.judge.look_alikes import UNMET, compare_rivals
from engine.values import ColorImage
from engine.verify.evidence import Evidence

SAME_PICTURE = 0.8
"""Share of a picture's signatures that another must have, equal to the bit, to be the same one, added twice: the same
file has all of them, a copy of another size fewer. Chosen by judgement."""


@dataclass(frozen=True)
class Rivals:
    """How candidates stand against each other, all by their positions."""

    order: list[int]
    """Best logit first."""
    rivals: dict[int, int | None]
    """The best other candidate of each that is not the same picture; None where there is none."""
    duels: list[tuple[int, int]]
    """(candidate, rival) whose pictures are to be compared: only the first and its rival can answer, the others stand
    in the list by their margin."""


def pair_rivals(logits: Sequence[float], same_picture: Callable[[int, int], bool]) -> Rivals:
    """Pairs candidates with their rivals. logits: of each by itself; same_picture: whether two positions hold the same
    stored picture, added twice. Serving and the fit of the match ratio both pair by this rule."""
    order = sorted(range(len(logits)), key=lambda i: -logits[i])
    rivals = {i: next((j for j in order if j != i and not same_picture(i, j)), None) for i in order}
    duels = [(i, j) for i, j in rivals.items() if j is not None and {i, j} == {order[0], rivals[order[0]]}]
    return Rivals(order, rivals, duels)


def judge(
    found: Sequence[Evidence], photo: ColorImage, calibration: Calibration, *, pool: Executor | None = None
) -> list[tuple[Evidence, float]]:
    """Candidates with their match ratios, best first. The best two meet in a duel; copies of one picture
    do not compete, and the one added first stands before the others. photo: the working image."""
    logits = [calibration.pair_logit(one.figures) for one in found]
    paired = pair_rivals(logits, lambda i, j: same_picture(found[i], found[j]))
    ours, theirs = [found[i] for i, _ in paired.duels], [found[j] for _, j in paired.duels]
    photos = [photo] * len(paired.duels)
    met = (map if pool is None else pool.map)(compare_rivals, ours, theirs, photos)
    duels = dict(zip(paired.duels, met, strict=True))
    ratios = {}
    for i, rival in paired.rivals.items():
        if rival is None:
            ratios[i] = calibration.match_ratio(logits[i], None)
        else:
            ratios[i] = calibration.match_ratio(logits[i], logits[rival], duels.get((i, rival), UNMET))
    ranked = sorted(paired.order, key=lambda i: -ratios[i])
    if ranked:
        copies = [i for i in ranked if i == ranked[0] or same_picture(found[ranked[0]], found[i])]
        oldest = min(copies, key=lambda i: found[i].candidate.picture_id)
        ratios[oldest] = ratios[ranked[0]]
        ranked = [oldest, *(i for i in ranked if i != oldest)]
    return [(found[i], ratios[i]) for i in ranked]


def judge_alone(found: Sequence[Evidence], calibration: Calibration) -> list[tuple[Evidence, float]]:
    """Candidates with the match ratios that they have by themselves, best first: look-alikes do not compete."""
    ratios = [calibration.match_ratio(calibration.pair_logit(one.figures), None) for one in found]
    return sorted(zip(found, ratios, strict=True), key=lambda pair: -pair[1])


def best_logit(found: Sequence[Evidence], calibration: Calibration) -> float:
    """The logit of the candidate that comes nearest to an answer by itself; -FURTHEST without any."""
    return max((calibration.pair_logit(one.figures) for one in found), default=-FURTHEST)


def same_picture(one: Evidence, other: Evidence) -> bool:
    """Whether two stored pictures are the same one, added twice or in two channels: most keypoints of the first are
    equal to the bit to one of the second."""
    a, b = one.candidate.rows[:, 0], other.candidate.rows[:, 0]
    return bool(np.isin(a, b).mean() > SAME_PICTURE)
