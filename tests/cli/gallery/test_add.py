"""`obverse add`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.support.commands import run, write


class TestAdd:
    """Files and folders; one bad file never stops the rest."""

    def test_folder_with_bad_files(self, tmp_path: Path) -> None:
        """Good pictures are added, each refusal has its line and reason, and the status is 1."""
        pictures = tmp_path / "pictures"
        write(pictures / "first.jpg", 1)
        write(pictures / "deep" / "er" / "second.png", 2)
        write(pictures / "deep" / "third.webp", 3)
        write(pictures / "deep" / "first.png", 4)
        (pictures / "text.jpg").write_text("only called a picture")
        (pictures / "empty.jpg").write_bytes(b"")
        (pictures / "cut.jpg").write_bytes((pictures / "first.jpg").read_bytes()[:5000])
        (pictures / "notes.txt").write_text("no picture, and not called one")
        write(pictures / ".hidden" / "fourth.jpg", 4)
        done = run("add", pictures, tmp_path / "gone.jpg", "--channel", "c", "--data", tmp_path / "data", "--json")
        assert done.status == 1
        assert done.json["added"] == 4
        assert done.json["skipped"] == 0
        assert done.json["numbered"] == {str(pictures / "first.jpg"): "first_2"}
        refused = {Path(name).name: reason for name, reason in done.json["refused"].items()}
        assert sorted(refused) == ["cut.jpg", "empty.jpg", "gone.jpg", "text.jpg"]
        for name, reason in refused.items():
            assert any(name in line and reason in line for line in done.err.splitlines()), name
        assert "on disk" in done.err, "the need for disk and memory is told before it begins"
        listed = run("list", "--data", tmp_path / "data", "--json").json
        assert [p["identifier"] for p in listed] == ["first", "first_2", "second", "third"]

    def test_goes_on_where_it_was_stopped(self, tmp_path: Path) -> None:
        """A file that was added before is skipped, under the same identifier, also from a folder that moved; one
        whose content changed is refused."""
        pictures, data = tmp_path / "pictures", tmp_path / "data"
        write(pictures / "a" / "same.jpg", 1)
        write(pictures / "b" / "same.jpg", 2)
        arguments = ("--channel", "c", "--data", data, "--workers", "1", "--json")
        assert run("add", pictures, *arguments).json["added"] == 2
        write(pictures / "b" / "later.jpg", 3)
        again = run("add", pictures, *arguments)
        assert (again.status, again.json["added"], again.json["skipped"]) == (0, 1, 2)
        write(pictures / "b" / "later.jpg", 4)
        changed = run("add", pictures, *arguments)
        assert (changed.status, changed.json["added"], changed.json["skipped"]) == (1, 0, 2)
        assert "changed since it was added as later" in changed.err
        (pictures / "a").rename(tmp_path / "moved")
        moved = run("add", tmp_path / "moved", *arguments)
        assert (moved.status, moved.json["added"], moved.json["skipped"]) == (0, 0, 1)

    def test_a_picture_without_detail_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "flat.png"
        assert cv2.imwrite(str(path), np.full((200, 200, 3), 128, np.uint8))
        done = run("add", path, "--channel", "c", "--data", tmp_path / "data")
        assert done.status == 1
        assert "too little detail" in done.err
        assert done.out == "c: 0 added, 0 there already, 1 refused\n"
