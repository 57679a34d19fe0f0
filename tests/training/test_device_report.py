"""The report on a machine's pairs: how alike they are, and which come faster. Needs torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ResearchError

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
pytest.importorskip("kornia", reason="kornia is not installed: pip install 'obverse[train]'")

from training.device_report import report  # needs both

pytestmark = pytest.mark.usefixtures("one_thread")


class TestReport:
    @pytest.mark.slow
    def test_report(self, pictures: Path) -> None:
        """The report compares the painters and the detectors, and tells what a training would wait for."""
        found = report(pictures, pictures=12, batches=1, seed=0)
        assert found["photos"] == 8
        assert 0 < found["difference"][0] <= found["difference"][2] < 8
        assert 0.8 < found["same_keypoints"][2] <= found["same_keypoints"][0] <= 1
        for rates in (found["pairs_per_second"], found["batches_per_second"]):
            assert min(rates.values()) > 0

    def test_nothing(self, tmp_path: Path) -> None:
        """A folder without pictures is told."""
        with pytest.raises(ResearchError, match="none of the pictures"):
            report(tmp_path, pictures=3, batches=1, seed=0)
