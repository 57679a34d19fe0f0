"""One method at work on one photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare.files import Prediction, read_rows
from benchmarks.compare.material import Material
from benchmarks.compare.methods import Method
from benchmarks.compare.run import runner
from benchmarks.compare.run.pipeline import below_one
from benchmarks.compare.run.runner import run
from benchmarks.compare.settings import RunSettings
from engine.errors import ResearchError


class TestOracles:
    def test_default_is_recognise(self, finished: Path, material: Material) -> None:
        """The default's answers and ratios are those of `Recognizer.recognise`."""
        workshop = runner.Workshop(finished / "cache", material)
        gallery = workshop.gallery()
        rows = read_rows(finished / "predictions.csv", Prediction)
        for photo in material.photos:
            found = gallery.recognizer.recognise(photo.path.read_bytes(), ["evaluation"])
            mine = next(r for r in rows if (r.method, r.query) == ("obverse", photo.query) and r.rank <= 1)
            assert mine.accepted == (found.answer is not None)
            if found.results:
                assert mine.score == pytest.approx(found.results[0].match_ratio, abs=0.01)
        workshop.close()


class TestBelowOne:
    def test_order_and_range(self) -> None:
        """Falling scores stay falling, equal ones equal, wherever they lie; none stays none."""
        drawn_scores = np.random.default_rng(0).normal(0, 30, 4001).astype(np.float32)
        falling = np.sort(np.concatenate([drawn_scores, drawn_scores[:1000], np.nextafter(drawn_scores, 99)]))[::-1]
        found = below_one(falling.astype(np.float32))
        assert (np.diff(found) <= 0).all()
        assert ((found > -1) & (found < 1)).all()
        assert (np.diff(found)[np.diff(falling) == 0] == 0).all()
        assert below_one(np.zeros(0, np.float32)).shape == (0,)


class TestBadInput:
    def test_unknown_parts(self, material: Material, tmp_path: Path) -> None:
        """A method that names what is not there is refused when it is made ready."""
        odd = (
            (Method(name="x", about="", shortlists=("nothing",)), "no shortlist 'nothing'"),
            (Method(name="x", about="", shortlists=("phash",), ranking="beauty"), "no ranking 'beauty'"),
            (Method(name="x", about="", shortlists=("phash",), ranking="orientation"), "shortlist orb_words"),
        )
        for number, (method, reason) in enumerate(odd):
            with pytest.raises(ResearchError, match=reason):
                run(tmp_path / str(number), material, [method], RunSettings(), command="test")
