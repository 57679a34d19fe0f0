"""`obverse find`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from cli.demo.posters import HEIGHT, WIDTH
from tests.support.commands import TO_PHOTO, photograph, run


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

    def test_several(self, gallery: Path, tmp_path: Path) -> None:
        """All pictures of a photo, in one line for people."""
        shown = [cv2.imread(str(photograph(tmp_path / f"{seed}.png", seed))) for seed in (1, 2)]
        both = tmp_path / "both.png"
        assert cv2.imwrite(str(both), np.hstack(shown))
        (row,) = run("find", both, "--data", gallery, "--several", "--json").json
        assert sorted(match["identifier"] for match in row["results"]) == ["one.1", "one.2"]
        assert row["answer"] == row["results"][0]
        line = run("find", both, "--data", gallery, "--several").out
        assert "one.1 in one" in line
        assert "one.2 in one" in line

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


def test_mirrored(gallery: Path, tmp_path: Path) -> None:
    """Asked for, a mirrored photo is answered, and said to be one."""
    photo = photograph(tmp_path / "photo.jpg", 1)
    cv2.imwrite(str(photo), cv2.imread(str(photo))[:, ::-1])
    plain = run("find", photo, "--data", gallery, "--json").json[0]
    assert (plain["answer"], plain["mirrored"]) == (None, False)
    found = run("find", photo, "--data", gallery, "--mirrored", "--json").json[0]
    assert found["mirrored"] is True
    assert found["answer"]["identifier"] == "one.1"
    assert ", mirrored (" in run("find", photo, "--data", gallery, "--mirrored").out
    assert run("find", photo, "--data", gallery, "--mirrored", "--several").status == 2
