"""`obverse list` and `remove`."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import photograph, run, write


class TestListAndRemove:
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


def test_changes(tmp_path: Path) -> None:
    """Every addition and removal, in order, of the channels asked for; `next` goes on where it ended."""
    data = tmp_path / "data"
    for name in ("one", "two"):
        write(tmp_path / name / f"{name}.1.jpg", 1)
        assert run("add", tmp_path / name, "--channel", name, "--data", data).status == 0
    assert run("remove", "one.1", "--channel", "one", "--data", data).status == 0
    told = run("changes", "--data", data, "--json").json
    assert [(entry["kind"], entry["channel"], entry["identifier"]) for entry in told["changes"]] == [
        ("add", "one", None),
        ("add", "two", "two.1"),
        ("remove", "one", None),
    ]
    assert run("changes", "--data", data, "--after", told["next"], "--json").json == {"changes": [], "next": 3}
    assert run("changes", "--data", data, "--channel", "two").out == "2 add two two.1\n"
    assert run("changes", "--data", data, "--channel", "none").status == 1
