"""`obverse database`, and what is stored of it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from pathlib import Path

import pytest

from api.accounts.databases import Databases
from api.accounts.poor_targets import PoorTarget, PoorTargets
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from api.errors import DatabaseExists, DatabaseNotFound
from engine.catalogue import Catalogue, Channel
from engine.errors import DamagedData, IdentifierTaken
from tests.support.made_catalogue import add
from tests.support.running_server import make_channel, make_user
from tests.support.service_commands import run, run_json

UUID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_user(tmp_path, "shop")
    return tmp_path


def poor(uuid: str = UUID, identifier: str = "dull") -> PoorTarget:
    return PoorTarget(
        uuid=uuid,
        identifier=identifier,
        name=identifier,
        width=1.0,
        active=True,
        metadata="",
        facts={"a": 1},
        failed=True,
        added_at=5.0,
        updated_at=5.0,
    )


class TestCommand:
    def test_whole_life(self, folder: Path) -> None:
        data = ("books", "--user", "shop", "--data", str(folder))
        made = run_json("database", "add", *data)
        assert set(made) == {"database", "channel", "server", "client"}
        assert (made["database"], made["channel"]) == ("books", "books")
        keys = [made[side][name] for side in ("server", "client") for name in ("access_key", "secret_key")]
        assert len(set(keys)) == 4
        assert all(len(key) == 40 for key in keys)
        assert "has a database already" in run("database", "add", *data, code=1)
        rotated = run_json("database", "rotate", *data)
        for side in ("server", "client"):
            assert rotated[side]["access_key"] == made[side]["access_key"]
            assert rotated[side]["secret_key"] != made[side]["secret_key"]
        assert run_json("database", "switch-off", *data) == {"channel": "books", "active": False}
        (row,) = run_json("database", "list", "--data", str(folder))
        assert (row["channel"], row["user"], row["active"]) == ("books", "shop", False)
        assert rotated["server"]["secret_key"] not in json.dumps(row)
        assert run_json("database", "switch-on", *data) == {"channel": "books", "active": True}
        assert run_json("database", "remove", *data) == {"channel": "books"}
        for command in ("rotate", "switch-off", "switch-on", "remove"):
            assert "has no database" in run("database", command, *data, code=1)
        assert run_json("channel", "list", "--data", str(folder))[0]["channel"] == "books"

    def test_existing_channels(self, folder: Path) -> None:
        """The owner's own, and one without an owner; not another user's, nor a name outside the rule."""
        owner = make_user(folder, "owner")
        make_channel(folder, "owned", owner)
        make_channel(folder, "ownerless", None)
        data = ("--data", str(folder))
        for command in ("add", "rotate", "switch-off", "switch-on", "remove"):
            run("database", command, "owned", "--user", "shop", *data, code=1)
        for channel in ("owned", "ownerless"):
            assert "secret key" in run("database", "add", channel, "--user", "owner", *data)
        run("database", "add", "a/b", "--user", "owner", *data, code=1)
        run("database", "add", "new", "--user", "nobody", *data, code=1)
        assert "owned" in run("database", "list", *data)
        assert "inactive" in run("database", "switch-off", "owned", "--user", "owner", *data)
        assert "removed" in run("database", "remove", "owned", "--user", "owner", *data)

    def test_a_lost_key_file(self, folder: Path) -> None:
        """Databases can still be listed, and work again after a rotation."""
        data = ("books", "--user", "shop", "--data", str(folder))
        made = run_json("database", "add", *data)
        (folder / "secrets.key").unlink()
        (row,) = run_json("database", "list", "--data", str(folder))
        assert row["server_access_key"] == made["server"]["access_key"]
        assert run_json("database", "rotate", *data)["server"]["access_key"] == made["server"]["access_key"]


class TestStored:
    @pytest.fixture
    def catalogue(self, folder: Path) -> Catalogue:
        return Catalogue(folder)

    @pytest.fixture
    def channel(self, catalogue: Catalogue) -> Channel:
        return catalogue.add_channel("books", owner=Accounts(catalogue.database).user("shop").id)

    def test_secrets_are_sealed(self, catalogue: Catalogue, channel: Channel, folder: Path) -> None:
        """They stand nowhere in the file, nor in what a log would show."""
        made = Databases(catalogue.database, Vault(folder)).add(channel)
        with contextlib.closing(sqlite3.connect(folder / "catalogue.db")) as file:
            stored = str(file.execute("SELECT * FROM target_database").fetchall())
        for pair in (made.server, made.client):
            assert pair.access_key in stored
            assert pair.secret_key not in stored + repr(made)

    def test_each_key_has_its_side(self, catalogue: Catalogue, channel: Channel, folder: Path) -> None:
        databases = Databases(catalogue.database, Vault(folder))
        made = databases.add(channel)
        assert databases.by_server_key(made.server.access_key) == made
        assert databases.by_client_key(made.client.access_key) == made
        assert databases.by_server_key(made.client.access_key) is None
        assert databases.by_client_key(made.server.access_key) is None
        with pytest.raises(DatabaseExists):
            databases.add(channel)

    def test_ends_with_its_channel_or_user(self, catalogue: Catalogue, channel: Channel, folder: Path) -> None:
        databases, accounts = Databases(catalogue.database, Vault(folder)), Accounts(catalogue.database)
        made = databases.add(channel)
        accounts.set_disabled("shop", disabled=True)
        assert databases.by_server_key(made.server.access_key) is None
        accounts.set_disabled("shop", disabled=False)
        assert databases.by_server_key(made.server.access_key) is not None
        catalogue.remove_channel(channel)
        assert databases.by_server_key(made.server.access_key) is None
        with pytest.raises(DatabaseNotFound):
            databases.of_channel(channel)

    def test_another_folders_key(
        self, catalogue: Catalogue, channel: Channel, folder: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        made = Databases(catalogue.database, Vault(folder)).add(channel)
        with pytest.raises(DamagedData, match=r"secrets\.key"):
            Databases(catalogue.database, Vault(tmp_path_factory.mktemp("other"))).by_server_key(made.server.access_key)


class TestPoorTargets:
    def test_whole_life(self, folder: Path) -> None:
        with contextlib.closing(Catalogue(folder)) as catalogue:
            Accounts(catalogue.database)
            one, other = catalogue.add_channel("one"), catalogue.add_channel("other")
            targets = PoorTargets(catalogue.database)
            targets.add(one, poor())
            with pytest.raises(IdentifierTaken):
                targets.add(one, poor(UUID[:-1] + "2"))
            targets.add(other, poor(UUID[:-1] + "3"))
            assert targets.by_uuid(one, UUID) == targets.by_identifier(one, "dull") == poor()
            assert targets.by_uuid(other, UUID) is None
            assert targets.all(one) == [poor()]
            changed = dataclasses.replace(poor(), name="other", identifier="other", failed=False)
            assert targets.replace(one, changed)
            assert targets.all(one) == [changed]
            assert not targets.replace(other, changed)
            assert not targets.remove(other, UUID)
            assert targets.remove(one, UUID)
            assert not targets.remove(one, UUID)

    def test_a_change_that_was_cut_short(self, folder: Path) -> None:
        """The picture is what counts; the next change goes on from there."""
        with contextlib.closing(Catalogue(folder)) as catalogue:
            Accounts(catalogue.database)
            one, targets = catalogue.add_channel("one"), PoorTargets(catalogue.database)
            add(catalogue, "dull", uuid=UUID)
            targets.add(one, poor())
            assert targets.all(one) == []
            targets.add(one, poor())
            catalogue.remove_picture("one", "dull")
            assert targets.all(one) == [poor()]

    def test_go_with_their_channel(self, folder: Path) -> None:
        with contextlib.closing(Catalogue(folder)) as catalogue:
            Accounts(catalogue.database)
            one, other = catalogue.add_channel("one"), catalogue.add_channel("other")
            targets = PoorTargets(catalogue.database)
            targets.add(one, poor())
            catalogue.remove_channel(one)
            targets.add(other, poor(UUID[:-1] + "2"))
            assert targets.all(one) == []
