"""`obverse export` and `obverse import`."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.support.commands import photograph, run, write


def test_there_and_back(gallery: Path, tmp_path: Path) -> None:
    archive, data = tmp_path / "one.tar", tmp_path / "new"
    told = run("export", "--channel", "one", "--out", archive, "--data", gallery, "--json").json
    assert (told["pictures"], told["bytes"]) == (6, archive.stat().st_size)
    assert run("export", "--channel", "one", "--out", archive, "--data", gallery).status == 2
    assert run("export", "--channel", "none", "--out", tmp_path / "x.tar", "--data", gallery).status == 1
    assert sorted(path.name for path in tmp_path.glob("*.tar*")) == ["one.tar"]
    first = run("import", archive, "--channel", "copy", "--data", data, "--json").json
    assert first == {"channel": "copy", "added": 6, "present": 0, "refused": {}}
    assert (
        run("import", archive, "--channel", "copy", "--data", data).out == "copy: 0 added, 6 there already, 0 refused\n"
    )
    photo = photograph(tmp_path / "photo.jpg", 3)
    assert run("find", photo, "--data", data, "--json").json[0]["answer"]["identifier"] == "one.3"


def test_refused(tmp_path: Path) -> None:
    """Each file with its reason; the others are added. What is no archive is refused whole."""
    write(tmp_path / "cover.jpg", 8)
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as made:
        made.write(tmp_path / "cover.jpg", "cover.jpg")
        made.writestr("text.jpg", b"no image")
        made.writestr("manifest.jsonl", b'{"file": "gone.jpg"}\nno JSON')
    done = run("import", tmp_path / "some.zip", "--channel", "two", "--data", tmp_path / "new", "--json")
    assert done.status == 1
    assert done.json["added"] == 1
    assert set(done.json["refused"]) == {"text.jpg", "gone.jpg", "line 2"}
    (tmp_path / "text").write_text("no archive" * 100)
    assert run("import", tmp_path / "text", "--channel", "two", "--data", tmp_path / "new").status == 1
