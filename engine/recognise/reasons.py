"""Why a candidate is the answer, or is none, in one sentence that a person understands."""

from __future__ import annotations

import enum

from engine.values import FloatArray
from engine.verify.prints import DIFFERENT, HIDDEN, SAME


class Reason(enum.StrEnum):
    """The kinds; SENTENCES says them."""

    AGREES = "agrees"
    LOOK_ALIKE = "look_alike"
    HIDDEN = "hidden"
    ANOTHER_INSIDE = "another_inside"
    ANOTHER_PRINT = "another_print"
    FEW_POINTS = "few_points"
    NOT_SURE = "not_sure"


SENTENCES = {
    Reason.AGREES: "what is seen of it agrees",
    Reason.LOOK_ALIKE: "another picture of the gallery agrees nearly as well",
    Reason.HIDDEN: "too much is hidden, blurred or too small to be told",
    Reason.ANOTHER_INSIDE: "parts agree, and between them something else is shown: another print of the series",
    Reason.ANOTHER_PRINT: "most of what is seen is something else",
    Reason.FEW_POINTS: "few points agree",
    Reason.NOT_SURE: "it agrees, but not plainly enough",
}
_MOST_HIDDEN = 0.5
_ENCLOSED, _CONTRADICTED = 0.1, 2.0
_MOST_DIFFERS = 0.5
_FEW = 15
"""Shares, a figure of `Prints`, and inliers that part the kinds. Chosen by judgement: no answer hangs on them."""


def reason(figures: dict[str, float], cells: FloatArray | None, *, accepted: bool, alone: bool, inliers: int) -> Reason:
    """figures: of the candidate; cells: (3, rows, columns) of its picture, None where it was not compared; alone:
    whether it would be the answer if no other picture came near."""
    if accepted:
        return Reason.AGREES
    if alone:
        return Reason.LOOK_ALIKE
    if cells is not None:
        shares = cells.mean((1, 2))
        if shares[DIFFERENT] > _MOST_DIFFERS:
            return Reason.ANOTHER_PRINT
        if figures["print_enclosed"] > _ENCLOSED or figures["print_contradicted"] > _CONTRADICTED:
            return Reason.ANOTHER_INSIDE
        if shares[HIDDEN] > _MOST_HIDDEN:
            return Reason.HIDDEN
    return Reason.FEW_POINTS if inliers < _FEW else Reason.NOT_SURE


def in_letters(cells: FloatArray) -> list[str]:
    """A row of letters for each row of cells: `=` the same print, `x` another one, `?` not to be told."""
    letters = {SAME: "=", DIFFERENT: "x", HIDDEN: "?"}
    return ["".join(letters[int(cell)] for cell in row) for row in cells.argmax(0)]
