"""`vws-python`, the public client, against a real server: only its two base URLs are changed."""

from __future__ import annotations

import importlib.metadata
import io
import uuid
from typing import Any

import pytest
from packaging.version import Version

from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Server
from tests.support.vuforia_client import Vuforia

vws = pytest.importorskip("vws", reason="vws-python is not installed")
exceptions = pytest.importorskip("vws.exceptions.vws_exceptions")
query_exceptions = pytest.importorskip("vws.exceptions.cloud_reco_exceptions")
custom = pytest.importorskip("vws.exceptions.custom_exceptions")
include = pytest.importorskip("vws.include_target_data").CloudRecoIncludeTargetData
TargetStatuses = pytest.importorskip("vws.reports").TargetStatuses


class Clients:
    """Both clients of one database."""

    def __init__(self, keys: Vuforia, base: str) -> None:
        self.manager = vws.VWS(
            server_access_key=keys.server.access_key, server_secret_key=keys.server.secret_key, base_vws_url=base
        )
        self.asker = vws.CloudRecoService(
            client_access_key=keys.client.access_key, client_secret_key=keys.client.secret_key, base_vwq_url=base
        )

    def add(self, image: bytes, **fields: Any) -> str:
        given = {"name": uuid.uuid4().hex, "width": 1, "active_flag": True, "application_metadata": None, **fields}
        target_id = self.manager.add_target(image=io.BytesIO(image), **given)
        self.manager.wait_for_target_processed(target_id=target_id)
        return target_id

    def query(self, image: bytes, **fields: Any) -> list[Any]:
        return self.asker.query(image=io.BytesIO(image), **fields)


@pytest.fixture
def clients(own_port: str, database: Vuforia) -> Clients:
    """At the root of a port: clients before 2026 take no base URL with a path."""
    return Clients(database, own_port)


class TestManagement:
    def test_whole_life(self, clients: Clients) -> None:
        """All eight calls."""
        target_id = clients.add(picture(20), name="first", width=2.5, application_metadata="aGVsbG8=")
        copy = clients.add(picture(20), name="copy")
        assert clients.manager.list_targets() == [target_id, copy]
        found = clients.manager.get_target_record(target_id=target_id)
        assert found.status == TargetStatuses.SUCCESS
        assert (found.target_record.name, found.target_record.width) == ("first", 2.5)
        assert 1 <= found.target_record.tracking_rating <= 5
        assert clients.manager.get_duplicate_targets(target_id=target_id) == [copy]
        clients.manager.update_target(target_id=target_id, name="second", width=3, active_flag=False)
        clients.manager.wait_for_target_processed(target_id=target_id)
        summary = clients.manager.get_target_summary_report(target_id=target_id)
        assert (summary.target_name, summary.active_flag, summary.total_recos) == ("second", False, 0)
        database = clients.manager.get_database_summary_report()
        assert (database.active_images, database.inactive_images, database.failed_images) == (1, 1, 0)
        clients.manager.delete_target(target_id=target_id)
        assert clients.manager.list_targets() == [copy]
        with pytest.raises(exceptions.UnknownTarget):
            clients.manager.delete_target(target_id=target_id)

    def test_errors(self, clients: Clients, own_port: str, database: Vuforia, switched_off: Vuforia) -> None:
        """As the client's own exceptions."""
        clients.add(picture(20), name="taken")
        with pytest.raises(exceptions.TargetNameExist):
            clients.add(picture(21), name="taken")
        with pytest.raises(exceptions.BadImage):
            clients.add(b"text")
        with pytest.raises(exceptions.ImageTooLarge):
            clients.add(picture(20) + b"\0" * 2_400_000)
        with pytest.raises(exceptions.MetadataTooLarge):
            clients.add(picture(20), application_metadata="A" * 1_500_000)
        with pytest.raises(exceptions.Fail):
            clients.add(picture(20), name="")
        failed = clients.add(flat())
        with pytest.raises(exceptions.TargetStatusNotSuccess):
            clients.manager.update_target(target_id=failed, width=1)
        with pytest.raises(exceptions.ProjectInactive):
            Clients(switched_off, own_port).add(picture(20))
        wrong = Clients(database.with_pairs(server=switched_off.client), own_port)
        with pytest.raises(exceptions.Fail):
            wrong.manager.list_targets()


class TestQuery:
    def test_results(self, clients: Clients) -> None:
        first = clients.add(picture(20), name="first", application_metadata="aGVsbG8=")
        second = clients.add(picture(20), name="second")
        (found,) = clients.query(photo_of(20))
        assert found.target_id == first
        assert (found.target_data.name, found.target_data.application_metadata) == ("first", "aGVsbG8=")
        both = clients.query(photo_of(20), max_num_results=5, include_target_data=include.ALL)
        assert [(one.target_id, one.target_data.name) for one in both] == [(first, "first"), (second, "second")]
        assert clients.query(photo_of(20), include_target_data=include.NONE)[0].target_data is None
        assert clients.query(photo_of(21)) == []

    def test_errors(self, clients: Clients, own_port: str, database: Vuforia, switched_off: Vuforia) -> None:
        with pytest.raises(query_exceptions.MaxNumResultsOutOfRange):
            clients.query(photo_of(20), max_num_results=51)
        with pytest.raises(query_exceptions.BadImage):
            clients.query(b"text")
        with pytest.raises(custom.RequestEntityTooLarge):
            clients.query(photo_of(20) + b"\0" * 2_200_000)
        with pytest.raises(query_exceptions.InactiveProject):
            Clients(switched_off, own_port).query(photo_of(20))
        with pytest.raises(query_exceptions.AuthenticationFailure):
            Clients(database.with_pairs(client=database.server), own_port).query(photo_of(20))


class TestPrefix:
    def test_beside_the_other_dialects(self, database: Vuforia, vuforia_server: Server) -> None:
        if Version(importlib.metadata.version("vws-python")) < Version("2026.2.25"):
            pytest.skip("this vws-python takes no base URL with a path")
        clients = Clients(database, f"{vuforia_server.base}/vuforia")
        target_id = clients.add(picture(20))
        assert clients.query(photo_of(20))[0].target_id == target_id
