"""`obverse info`."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import run


def test_info(gallery: Path) -> None:
    found = run("info", "--data", gallery, "--json").json
    assert found["pictures"] == 6
    assert found["channels"] == {"one": 6}
    assert found["model"]
    assert set(found["memory_bytes"]) == {"records", "votes", "global"}
    assert found["disk_bytes_per_picture"] > 1000
    assert (found["log_position"], found["changes_since_saved"]) == (6, 0)
    assert list(found["indexes"].values()) == [{"segments": [], "newest_ranked_whole": 6}]
    assert found["model"] in run("info", "--data", gallery).out
