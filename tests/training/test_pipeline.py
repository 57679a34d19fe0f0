"""What a training is told before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ResearchError
from training.pipeline import read_settings

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")


class TestReadSettings:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"steps = ", r"s\.toml cannot be read as TOML"),
            (b"\xff\xfe", r"s\.toml cannot be read as TOML"),
            (b"step = 5", "no training setting named step; the nearest is steps"),
            (b'steps = "many"', "steps: 'many' is not of the kind"),
        ],
    )
    def test_refused(self, content: bytes, reason: str, tmp_path: Path) -> None:
        """A file that is no TOML, and settings that there are not, are refused in one line."""
        (tmp_path / "s.toml").write_bytes(content)
        with pytest.raises(ResearchError, match=reason):
            read_settings(tmp_path / "s.toml")
