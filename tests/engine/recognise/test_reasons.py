"""Why a candidate is the answer or none: the rule by hand, and on photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.image import encode_jpeg
from engine.recognise.reasons import SENTENCES, Reason, in_letters, reason
from engine.recognizer import Recognizer
from engine.verify.prints import DIFFERENT, HIDDEN, SAME
from tests.support.drawn import photo_of, poster


def cells(same: int, different: int, hidden: int) -> np.ndarray:
    """So many of 16 cells of each kind, in this order."""
    kinds = [SAME] * same + [DIFFERENT] * different + [HIDDEN] * hidden
    return np.eye(3, dtype=np.float32)[kinds].T.reshape(3, 4, 4)


PLAIN = {"print_enclosed": 0.0, "print_contradicted": 0.0}


class TestRule:
    @pytest.mark.parametrize(
        ("changed", "seen", "expected"),
        [
            ({}, cells(16, 0, 0), Reason.NOT_SURE),
            ({}, cells(5, 9, 2), Reason.ANOTHER_PRINT),
            ({"print_enclosed": 0.2}, cells(12, 4, 0), Reason.ANOTHER_INSIDE),
            ({"print_contradicted": 5.0}, cells(15, 1, 0), Reason.ANOTHER_INSIDE),
            ({}, cells(6, 1, 9), Reason.HIDDEN),
        ],
    )
    def test_refused(self, changed: dict[str, float], seen: np.ndarray, expected: Reason) -> None:
        assert reason(PLAIN | changed, seen, accepted=False, alone=False, inliers=40) is expected

    def test_what_comes_first(self) -> None:
        """An answer agrees, whatever its cells say; a rival keeps what would be one by itself."""
        hidden = cells(2, 0, 14)
        assert reason(PLAIN, hidden, accepted=True, alone=False, inliers=40) is Reason.AGREES
        assert reason(PLAIN, hidden, accepted=False, alone=True, inliers=40) is Reason.LOOK_ALIKE

    def test_without_kept_pictures(self) -> None:
        assert reason({}, None, accepted=False, alone=False, inliers=8) is Reason.FEW_POINTS
        assert reason({}, None, accepted=False, alone=False, inliers=80) is Reason.NOT_SURE

    def test_all_are_said(self) -> None:
        assert set(SENTENCES) == set(Reason)

    def test_letters(self) -> None:
        assert in_letters(cells(6, 5, 5)) == ["====", "==xx", "xxx?", "????"]


def test_on_photos(tmp_path: Path) -> None:
    """A print that is there agrees; of one that is not, whose frame is, the middle is told; where nothing was kept
    there are no cells."""
    sister = poster(4).copy()
    height, width = sister.shape[:2]
    middle = slice(height // 4, 3 * height // 4), slice(width // 5, 4 * width // 5)
    sister[middle] = poster(9)[middle]
    with Recognizer.open(tmp_path / "data") as recognizer:
        recognizer.add_channel("one")
        recognizer.add("one", "poster", encode_jpeg(poster(4), quality=92))
        found = recognizer.recognise(photo_of(poster(4), seed=1, strength=0.2).jpeg, ["one"])
        assert found.answer is not None
        assert (found.answer.reason, found.answer.because) == (Reason.AGREES, SENTENCES[Reason.AGREES])
        assert found.answer.letters is not None
        assert "".join(found.answer.letters).count("=") > 0.8 * sum(map(len, found.answer.letters))
        found = recognizer.recognise(photo_of(sister, seed=1, strength=0.2).jpeg, ["one"])
        assert found.answer is None
        assert found.results[0].reason is Reason.ANOTHER_INSIDE
        assert found.results[0].letters is not None
        rows = found.results[0].letters
        inner = [row[len(row) // 3 : 2 * len(row) // 3] for row in rows[len(rows) // 3 : 2 * len(rows) // 3]]
        assert "".join(inner).count("x") > 0.8 * sum(map(len, inner))
        assert "x" not in rows[0] + rows[-1]
