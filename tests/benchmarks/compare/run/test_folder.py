"""The run folder: the rows that a run writes, and a run of other arguments that it holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare.files import Listed, Prediction, Timing, read_geometry, read_rows
from benchmarks.compare.material import Material
from benchmarks.compare.methods import find_method
from benchmarks.compare.parts.local_features import Patches
from benchmarks.compare.run.folder import OtherRun
from benchmarks.compare.run.runner import run
from benchmarks.compare.settings import RunSettings
from engine.describe.patch_model import PatchModel
from engine.errors import ResearchError
from engine.recognise.pipeline import LOOKS
from engine.verify.homography import project
from tests.support.comparisons import compare
from tests.support.drawn_sets import TILT


class TestRows:
    def test_listed(self, finished: Path) -> None:
        """The whole list of the lists' methods, none for those that look at everything."""
        rows = read_rows(finished / "shortlist.csv", Listed)
        assert not any(r.method.startswith("exhaustive") for r in rows)
        for name in ("phash", "hog", "orb-vlad", "global"):
            mine = [r for r in rows if (r.method, r.query) == (name, "q3.png")]
            assert [r.rank for r in mine] == list(range(1, 14))
            assert {r.ref for r in mine} >= {"r0.png", "//second/r10.png", "//distractors/20.png"}

    def test_geometry(self, finished: Path) -> None:
        """Outlines are told in pixels of the files: the warp that made the photo."""
        corners = np.array([[0, 0], [300, 0], [300, 400], [0, 400]])
        found = read_geometry(finished / "geometry.jsonl")
        methods = {"orb-words", "global+orb", "global+sift", "obverse", "exhaustive-orb", "exhaustive-sift"}
        assert methods <= {g.method for g in found}
        for one in found:
            if one.query.startswith("q"):
                H = np.reshape(one.H_picture_to_photo, (3, 3))
                assert np.abs(project(H, corners) - project(TILT, corners)).max() < 8, one
                points = np.array(one.inliers)
                assert np.median(np.abs(project(TILT, points[:, :2]) - points[:, 2:])) < 3

    def test_stages(self, finished: Path) -> None:
        """The stages of a photo add up to its total and to the predictions' ms."""
        timings = read_rows(finished / "timings.csv", Timing)
        mine = {t.stage: t.ms for t in timings if (t.method, t.query) == ("global+orb", "q1.png")}
        assert set(mine) == {"decode", "describe", "shortlist", "verify", "total"}
        assert mine.pop("total") == pytest.approx(sum(mine.values()))
        rows = read_rows(finished / "predictions.csv", Prediction)
        (whole,) = {r.ms for r in rows if (r.method, r.query) == ("global+orb", "q1.png")}
        assert whole == pytest.approx(sum(mine.values()))


class TestOtherRun:
    def test_other_arguments(self, material: Material, tmp_path: Path) -> None:
        """Another seed is another run: refused with advice, or started anew."""
        compare(tmp_path, material, ["phash"])
        with pytest.raises(OtherRun, match=r"other seed; give another --out, or --overwrite"):
            compare(tmp_path, material, ["phash"], RunSettings(seed=1))
        method = [find_method("hog")]
        run(tmp_path, material, method, RunSettings(seed=1), command="test", overwrite=True)
        assert {r.method for r in read_rows(tmp_path / "predictions.csv", Prediction)} == {"hog"}

    def test_another_model(self, material: Material, tmp_path: Path) -> None:
        """What another network or another fit answered is not taken up."""
        compare(tmp_path, material, ["phash"])
        before = json.loads((tmp_path / "run.json").read_text())
        before["arguments"]["model"] = "obverse-patch-0"
        (tmp_path / "run.json").write_text(json.dumps(before))
        with pytest.raises(OtherRun, match="other model; give another --out"):
            compare(tmp_path, material, ["phash"])

    def test_other_keypoints(self, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor is what the same network answered from keypoints that are chosen otherwise, nor its features."""
        compare(tmp_path, material, ["phash"])
        kind = Patches(PatchModel()).kind
        others = (replace(LOOKS[0], cells=10), *LOOKS[1:])
        monkeypatch.setattr("benchmarks.compare.parts.local_features.LOOKS", others)
        assert Patches(PatchModel()).kind != kind
        with pytest.raises(OtherRun, match="other model; give another --out"):
            compare(tmp_path, material, ["phash"])

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"arguments": 1}'])
    def test_not_a_run(self, content: str, material: Material, tmp_path: Path) -> None:
        """A run.json that is none is refused with its name; with --overwrite it is replaced."""
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(ResearchError, match=r"run\.json: not a run: .*; give another --out, or --overwrite"):
            compare(tmp_path, material, ["phash"])
        run(tmp_path, material, [find_method("phash")], RunSettings(), command="test", overwrite=True)
        assert json.loads((tmp_path / "run.json").read_text())["command"] == "test"
