"""A comparator from a folder of pictures to the file that the engine runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ResearchError
from engine.settings import DEFAULT_MODEL
from engine.verify.appearance import see
from engine.verify.prints import Comparator
from engine.verify.reference import Reference
from tests.support.drawn import H_TILTED as H
from tests.support.drawn import poster, tilted

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")

from training.comparator import pipeline  # noqa: E402
from training.comparator.learn import ComparatorSettings, varied  # noqa: E402
from training.comparator.pipeline import ComparatorPlan, run  # noqa: E402
from training.learn.train import unwatched  # noqa: E402


def plan(data: Path, out: Path) -> ComparatorPlan:
    return ComparatorPlan(data=data, out=out, comparisons=24, processes=1, model=DEFAULT_MODEL)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_from_pictures_to_the_engine(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns something in a few steps, and the engine runs what was exported; a second run takes the comparisons
    that are there."""
    monkeypatch.setattr(pipeline, "SHARD", 12)
    monkeypatch.setattr(pipeline, "VALIDATION", 12)
    told: list[str] = []
    settings = ComparatorSettings(width=8, passes=2, batch=8, seed=1)
    card = run(plan(pictures, tmp_path), settings, tell=told.append, watch=unwatched)
    assert card["int8_agrees_with_float32"] > 0.8
    assert (tmp_path / "comparator" / "comparator.json").exists()
    seen = see(Reference(poster(1)), tilted(poster(1)), H)
    assert seen is not None
    assert np.isfinite(Comparator(tmp_path / "comparator").judge(seen)).all()
    log = np.genfromtxt(tmp_path / "comparator.csv", delimiter=",", names=True)
    assert log["loss"][-1] < 2
    made = sum(line.startswith("comparisons:") for line in told)
    again = replace(plan(pictures, tmp_path), start=tmp_path / "comparator.pt")
    run(again, settings, tell=told.append, watch=unwatched)
    assert sum(line.startswith("comparisons:") for line in told) == made == 3
    log = np.genfromtxt(tmp_path / "comparator.csv", delimiter=",", names=True)
    begun = log["loss"][np.flatnonzero(log["step"] == 0)[1] :]
    assert np.nanmax(begun) < log["loss"][1]
    with pytest.raises(ResearchError, match="no comparator of width 16"):
        run(again, ComparatorSettings(width=16), tell=told.append, watch=unwatched)


def test_too_few_pictures(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResearchError, match="0 pictures for 'train', 50 are needed"):
        run(plan(tmp_path / "empty", tmp_path), ComparatorSettings(), tell=print, watch=unwatched)


def test_weights_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_bytes(b"no weights")
    begun = replace(plan(tmp_path, tmp_path), start=tmp_path / "text.pt")
    with pytest.raises(ResearchError, match="no comparator of width 48"):
        run(begun, ComparatorSettings(), tell=print, watch=unwatched)


def test_variations_keep_frames_and_labels_together() -> None:
    """Whatever is mirrored or bent, a cell's label stays with its pixels; the picture's lightness is not touched."""
    frames = torch.zeros((1, 7, 256, 256), dtype=torch.uint8)
    frames[:, :, 32:48, 64:80] = 200
    labels = torch.zeros((1, 16, 16), dtype=torch.uint8)
    labels[:, 2, 4] = 1
    torch.manual_seed(0)
    for _ in range(20):
        seen, wanted = varied(frames, labels)
        row, column = torch.nonzero(wanted[0])[0].tolist()
        cell = (0, slice(16 * row, 16 * row + 16), slice(16 * column, 16 * column + 16))
        assert (seen[0][cell] == 200).all()
        assert (seen[0, 0] == 200).sum() == 256
        brighter = seen[0, 3][cell[1:]].mean() - seen[0, 3].mean()
        assert brighter > 20
