"""Systems that lack what Linux has: neither a command nor an import asks for it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.apart import run_all
from tests.support.commands import photograph, write
from tests.support.paths import ROOT

WITHOUT = """
import asyncio, multiprocessing, os, subprocess, sys, types
for name in ("sched_getaffinity", "sched_setaffinity", "process_cpu_count", "posix_fadvise", "posix_fallocate"):
    if hasattr(os, name):
        delattr(os, name)
absent = {absent}
class _Absent:
    def find_spec(self, name, path=None, target=None):
        if name in absent:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, _Absent())
for name in absent:
    sys.modules.pop(name, None)
if "fcntl" in absent:
    sys.modules["msvcrt"] = types.SimpleNamespace(locking=lambda *_: None, LK_NBLCK=2)
"""


def try_out(place: Path, absent: set[str]) -> None:
    """Fills a gallery, searches it, saves it, describes it anew, and runs the demo, where these modules and Linux's own
    functions of `os` are missing."""
    (place / "site").mkdir()
    (place / "site" / "sitecustomize.py").write_text(WITHOUT.format(absent=absent))
    for number in range(2):
        write(place / "pictures" / f"one.{number}.jpg", number)
    data = ("--data", place / "data")
    variables = {**os.environ, "PYTHONPATH": f"{place / 'site'}{os.pathsep}{ROOT}"}
    ends = run_all(
        ("add", place / "pictures", "--channel", "one", *data),
        ("find", photograph(place / "p.jpg", 1), *data),
        ("backup", place / "b.tar.gz", *data),
        ("reindex", *data),
        ("demo", "--count", 2, "--photos", 1, "--out", place / "demo"),
        variables=variables,
    )
    told = ("2 added", "one.1 in one", "catalogue.db", "2 pictures described anew", "photos named rightly")
    assert [(end, words) for end, words in zip(ends, told, strict=True) if end.status or words not in end.out] == []


def test_macos(tmp_path: Path) -> None:
    """No processor affinity there."""
    try_out(tmp_path, set())


def test_windows(tmp_path: Path) -> None:
    """Neither fcntl nor resource there."""
    try_out(tmp_path, {"fcntl", "resource"})
