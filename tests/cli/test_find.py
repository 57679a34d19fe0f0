"""`obverse find`, `list`, `remove`, `info`, and how the command refuses."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from cli.demo.posters import HEIGHT, WIDTH
from cli.main import COMMANDS
from tests.support.commands import ROOT, TO_PHOTO, photograph, run, run_apart, write


class TestFind:
    """Photos to answers, for people and for scripts."""

    def test_json_and_drawing(self, gallery: Path, tmp_path: Path) -> None:
        """The answer names the picture and its outline; the drawing is a PNG with both side by side."""
        photo, drawing = photograph(tmp_path / "photo.jpg", 3), tmp_path / "why.png"
        done = run("find", photo, "--channel", "one", "--data", gallery, "--json", "--explain", drawing)
        assert done.status == 0, done.err
        (row,) = done.json
        assert row["photo"] == str(photo)
        assert row["photo_size"] == [700, 800]
        assert row["explained"] == str(drawing)
        answer = row["answer"]
        assert (answer["identifier"], answer["channel"], answer["accepted"]) == ("one.3", "one", True)
        assert answer["match_ratio"] > 50
        assert answer == row["results"][0]
        corners = np.array([[[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]]], np.float32)
        expected = cv2.perspectiveTransform(corners, TO_PHOTO)[0]
        assert np.abs(np.array(answer["quad"]) - expected).max() < 12
        assert {"decode", "describe", "rank", "verify"} <= set(row["timings_ms"])
        drawn = cv2.imread(str(drawing))
        assert drawn is not None
        assert drawn.shape[1] > drawn.shape[0] > 600
        green = (drawn == (60, 200, 30)).all(2)
        assert green.sum() > 1000, "the outline of an accepted answer"

    def test_for_people(self, gallery: Path, tmp_path: Path) -> None:
        """One line a photo; a photo that shows no picture is no error."""
        noise = tmp_path / "out.webp"
        blocks = np.random.default_rng(0).integers(0, 255, (60, 45, 3), np.uint8)
        assert cv2.imwrite(str(noise), cv2.resize(blocks, (480, 640), interpolation=cv2.INTER_NEAREST))
        done = run("find", photograph(tmp_path / "in.png", 2), noise, "--data", gallery)
        assert done.status == 0, done.err
        first, second = done.out.splitlines()
        assert "one.2 in one, match ratio" in first
        assert second.startswith(f"{noise}: no answer")

    def test_bad_photos_do_not_stop_the_rest(self, gallery: Path, tmp_path: Path) -> None:
        (tmp_path / "bad.jpg").write_text("not a photo")
        photo = photograph(tmp_path / "good.jpg", 1)
        done = run("find", tmp_path / "bad.jpg", tmp_path / "gone.jpg", photo, "--data", gallery, "--json")
        assert done.status == 1
        bad, gone, good = done.json
        assert "not an image" in bad["error"]
        assert "No such file" in gone["error"]
        assert good["answer"]["identifier"] == "one.1"


class TestRefusals:
    """Status 1 and one line for what is refused, 2 for wrong usage."""

    def test_unknown_channel(self, gallery: Path, tmp_path: Path) -> None:
        done = run_apart("find", photograph(tmp_path / "p.jpg", 1), "--channel", "two", "--data", gallery)
        assert (done.status, done.out) == (1, "")
        assert done.err == "obverse: no channel named 'two'\n"

    def test_no_gallery_there(self, tmp_path: Path) -> None:
        """Reading makes no empty gallery where a name was misspelt."""
        for command in (["list"], ["info"], ["find", "p.jpg"], ["remove", "abc", "--channel", "c"]):
            done = run(*command, "--data", tmp_path / "nothing")
            assert done.status == 2
            assert "holds no gallery" in done.err
        assert not (tmp_path / "nothing").exists()

    def test_usage(self, gallery: Path) -> None:
        for wrong in (["find"], ["nonsense"], ["add", "x.jpg"], ["list", "--data", gallery, "--sort"]):
            assert run(*wrong).status == 2


class TestStart:
    """The command as a shell starts it."""

    def test_help_names_every_command(self) -> None:
        done = run("--help")
        assert done.status == 0
        assert [name for name in COMMANDS if f" {name} " not in done.out] == []

    def test_version(self) -> None:
        assert run("--version").out.strip() == importlib.metadata.version("obverse")

    def test_finding_loads_neither_the_service_nor_torch(self) -> None:
        """They take a second and more to import."""
        heavy = ("litestar", "duckdb", "torch")
        code = f"import sys, cli.main, cli.gallery.pictures; print([m for m in {heavy} if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        assert done.stdout == "[]\n"


class TestListRemoveInfo:
    def test_remove(self, tmp_path: Path) -> None:
        """What is removed is never found again; what was not there is refused."""
        data, channel = tmp_path / "data", ("--channel", "c")
        for number in (1, 2):
            write(tmp_path / "pictures" / f"pic.{number}.jpg", number)
        assert run("add", tmp_path / "pictures", *channel, "--data", data).status == 0
        done = run("remove", "pic.1", "pic.9", *channel, "--data", data, "--json")
        assert (done.status, done.json) == (1, {"channel": "c", "removed": ["pic.1"]})
        assert done.err == "refused pic.9: channel 'c' has no such picture\n"
        assert [p["identifier"] for p in run("list", "--data", data, "--json").json] == ["pic.2"]
        assert run("find", photograph(tmp_path / "p.jpg", 1), "--data", data, "--json").json[0]["answer"] is None

    def test_list(self, gallery: Path) -> None:
        pictures = run("list", "--data", gallery, "--channel", "one", "--json").json
        assert [p["identifier"] for p in pictures] == [f"one.{n}" for n in range(6)]
        first = pictures[0]
        assert (first["width"], first["height"], first["active"], first["threshold"]) == (360, 504, True, None)
        assert 1 <= first["level"] <= 5
        assert "6 pictures" in run("list", "--data", gallery).out

    def test_info(self, gallery: Path) -> None:
        found = run("info", "--data", gallery, "--json").json
        assert found["pictures"] == 6
        assert found["channels"] == {"one": 6}
        assert found["model"]
        assert set(found["memory_bytes"]) == {"records", "votes", "global"}
        assert found["disk_bytes_per_picture"] > 1000
        assert (found["log_position"], found["changes_since_saved"]) == (6, 0)
        assert list(found["indexes"].values()) == [{"segments": [], "newest_ranked_whole": 6}]
        assert found["model"] in run("info", "--data", gallery).out
