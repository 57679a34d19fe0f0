"""`obverse database`: keys of Vuforia's clients."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.service_commands import run, run_json

SHOP = ("--user", "shop")


def test_whole_life(tmp_path: Path) -> None:
    """Secrets are shown once; new ones come with the same access keys; the channel outlives its database."""
    data = ("--data", str(tmp_path))
    run("user", "add", "shop", *data)
    made = run_json("database", "add", "books", *SHOP, *data)
    assert (made["channel"], set(made["server"])) == ("books", {"access_key", "secret_key"})
    listed = run_json("database", "list", *data)
    assert [(row["channel"], row["user"], row["active"]) for row in listed] == [("books", "shop", True)]
    secrets = [made[side]["secret_key"] for side in ("server", "client")]
    assert not any(secret in json.dumps(listed) for secret in secrets)
    rotated = run_json("database", "rotate", "books", *SHOP, *data)
    for side in ("server", "client"):
        assert rotated[side]["access_key"] == made[side]["access_key"] == listed[0][f"{side}_access_key"]
        assert rotated[side]["secret_key"] != made[side]["secret_key"]
    for command, active in (("switch-off", False), ("switch-on", True)):
        assert run_json("database", command, "books", *SHOP, *data) == {"channel": "books", "active": active}
        assert [row["active"] for row in run_json("database", "list", *data)] == [active]
    assert run_json("database", "remove", "books", *SHOP, *data) == {"channel": "books"}
    assert run_json("database", "list", *data) == []
    assert [row["channel"] for row in run_json("channel", "list", *data)] == ["books"]


def test_for_people(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    run("user", "add", "shop", *data)
    shown = run("database", "add", "books", *SHOP, *data)
    assert shown.count("secret key") == 2
    assert "books" in run("database", "list", *data)
    assert "inactive" in run("database", "switch-off", "books", *SHOP, *data)


def test_refused(tmp_path: Path) -> None:
    """A second database of a channel, a channel of another user, and one that has none."""
    data = ("--data", str(tmp_path))
    for name in ("shop", "other"):
        run("user", "add", name, *data)
    run("database", "add", "books", *SHOP, *data)
    run("database", "add", "books", *SHOP, *data, code=1)
    run("database", "rotate", "books", "--user", "other", *data, code=1)
    run("channel", "add", "plain", *SHOP, *data)
    run("database", "switch-off", "plain", *SHOP, *data, code=1)
    run("database", "list", "--data", str(tmp_path / "none"), code=2)
