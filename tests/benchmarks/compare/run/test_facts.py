"""What run.json tells about a run and its methods."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.compare.methods import METHODS

ROOT = Path(__file__).resolve().parents[4]


class TestRun:
    def test_run(self, finished: Path) -> None:
        """run.json tells the machine, the sets and each method."""
        content = json.loads((finished / "run.json").read_text())
        assert (content["gallery"], content["distractors"], content["seed"]) == (13, 3, 0)
        first = {"photos": 7, "positives": 5, "negatives_easy": 2, "negatives_hard": 0}
        assert first.items() <= content["sets"][0].items()
        entries = {e["name"]: e for e in content["methods"]}
        assert set(entries) == {m.name for m in METHODS}
        assert entries["phash"]["bytes_per_picture"] == 8
        assert entries["exhaustive-sift"]["sample"] == 4
        assert entries["obverse"]["threshold"] > 0
        assert all(e["adds_per_second"] > 0 for e in entries.values())
        assert all(e["bytes_per_picture"] > 0 for n, e in entries.items() if not n.startswith("exhaustive"))

    @pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="no git, or no checkout")
    def test_commit(self, finished: Path) -> None:
        """run.json names a commit of the source tree that ran."""
        commit = json.loads((finished / "run.json").read_text())["commit"].removesuffix("-dirty")
        words = ["git", "-C", str(ROOT), "cat-file", "-t", commit]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == "commit"
