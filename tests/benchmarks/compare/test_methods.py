"""The table of methods: names, nearest names, and what is made on the fly."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.compare.methods import ESTIMATORS, FEATURES, METHODS, find_method, grid, matcher_method, parse_method


class TestTable:
    def test_names(self) -> None:
        """Each name stands once, and the issue's methods are there."""
        names = [m.name for m in METHODS]
        assert len(set(names)) == len(names) >= 15
        assert {"phash", "pdq", "hog", "orb-words", "orb-vlad", "global", "obverse", "exhaustive-sift"} <= set(names)

    def test_thresholds_have_sources(self) -> None:
        """Who gives a threshold says whose it is."""
        assert all(m.threshold_source for m in METHODS if m.threshold is not None)
        assert all(m.threshold is None for m in METHODS if not m.threshold_source)

    def test_ceilings(self) -> None:
        """Methods that look at every picture are ceilings, others are not."""
        assert all(m.ceiling == (m.shortlists == ("everything",)) == (m.depth is None) for m in METHODS)

    def test_is_data(self) -> None:
        """The table loads no library of numbers or images."""
        code = (
            "import sys, benchmarks.compare.methods; print({'numpy', 'cv2', 'faiss', 'onnxruntime'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"


class TestFindMethod:
    def test_by_name(self) -> None:
        assert all(find_method(m.name) is m for m in METHODS)

    def test_nearest(self) -> None:
        """An unknown name is answered with the nearest one."""
        with pytest.raises(ValueError, match="no method 'phsh'; did you mean 'phash'"):
            find_method("phsh")

    def test_onnx(self) -> None:
        """onnx:PATH is made on the fly; its shortlist keeps the path."""
        made = find_method("onnx:some/resnet50.onnx")
        assert (made.name, made.shortlists, made.threshold) == ("onnx-resnet50", ("onnx:some/resnet50.onnx",), None)
        for text in ("onnx:", "tflite:x"):
            with pytest.raises(ValueError, match="write onnx:PATH"):
                parse_method(text)


def test_matcher() -> None:
    made = matcher_method("m/lightglue.onnx")
    assert (made.name, made.shortlists, made.verified) == ("global+matcher", ("global",), 10)


def test_grid() -> None:
    """Every combination once, named for its parts."""
    made = grid("votes")
    assert len({m.name for m in made}) == len(made) == len(FEATURES) * len(ESTIMATORS) * 4
    assert len({m.verifier for m in made}) == len(made)
    assert {m.shortlists for m in made} == {("votes",)}
    names = {m.name for m in made}
    assert {"votes+sift+magsac+ratio+mutual", "votes+orb+ransac", "votes+patches+prosac+mutual"} <= names
