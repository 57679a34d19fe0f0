"""Authorization, signature, date and the state of the project: the same checks before every call."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
import pytest

from api.accounts.databases import AccessPair
from api.dialects.vuforia.contract import CALLS
from tests.support.drawn_pictures import photo_of
from tests.support.vuforia_client import UNKNOWN, Vuforia, b64, empty, http_date, multipart_body, refused, succeeded

Gallery = tuple[Vuforia, dict[str, str]]
EVERY = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
EARLIER, LATER = -1, 1


def send(database: Vuforia, call: Any, target_id: str, **headers: Any) -> httpx.Response:
    """The call with a body where it takes one."""
    path = call.path.replace("{target_id:str}", target_id)
    return database.send(call.verb, path, b"{}" if call.takes_body else None, **headers)


@EVERY
class TestManagement:
    def test_missing_authorization(self, gallery: Gallery, call: Any) -> None:
        database, ids = gallery
        refused(send(database, call, ids["one"], authorization=None), 401, "AuthenticationFailure")

    @pytest.mark.parametrize(
        "header", ["", "gibberish", "VWS", "VWS key", "VWS key:", "VWS a:b:c", "VWS a b:c", "VWS unknown:abc"]
    )
    def test_malformed_authorization(self, gallery: Gallery, call: Any, header: str) -> None:
        """Without a signature, and with an access key that no database has."""
        database, ids = gallery
        refused(send(database, call, ids["one"], authorization=header), 400, "Fail")

    def test_client_key(self, gallery: Gallery, call: Any) -> None:
        """The pair that queries manages nothing."""
        database, ids = gallery
        refused(send(database.with_pairs(server=database.client), call, ids["one"]), 400, "Fail")

    def test_wrong_secret(self, gallery: Gallery, call: Any) -> None:
        database, ids = gallery
        wrong = AccessPair(access_key=database.server.access_key, secret_key="0" * 40)
        refused(send(database.with_pairs(server=wrong), call, ids["one"]), 401, "AuthenticationFailure")

    def test_another_scheme(self, gallery: Gallery, call: Any) -> None:
        database, ids = gallery
        header = f"Basic {database.server.access_key}:abc="
        refused(send(database, call, ids["one"], authorization=header), 401, "AuthenticationFailure")

    def test_missing_date(self, gallery: Gallery, call: Any) -> None:
        database, ids = gallery
        refused(send(database, call, ids["one"], date=None), 400, "Fail")

    @pytest.mark.parametrize("date", ["Thu Nov 26 06:34:42 2026", "2026-11-26T06:34:42Z", "x"])
    def test_malformed_date(self, gallery: Gallery, call: Any, date: str) -> None:
        database, ids = gallery
        refused(send(database, call, ids["one"], date=date), 400, "Fail")

    @pytest.mark.parametrize("direction", [EARLIER, LATER])
    def test_skewed_date(self, gallery: Gallery, call: Any, direction: int) -> None:
        """Five minutes."""
        database, ids = gallery
        date = http_date(minutes=direction * 5.1)
        refused(send(database, call, ids["one"], date=date), 403, "RequestTimeTooSkewed")

    def test_unknown_target(self, gallery: Gallery, call: Any) -> None:
        """Before the body and the date are looked at."""
        if "target_id" in call.path:
            for target_id in (UNKNOWN, "x", UNKNOWN[:-1], "é"):
                response = send(gallery[0], call, target_id, date="x")
                if target_id.isascii():
                    refused(response, 404, "UnknownTarget")

    def test_another_databases_target(self, database: Vuforia, gallery: Gallery, call: Any) -> None:
        if "target_id" in call.path:
            refused(send(database, call, gallery[1]["one"]), 404, "UnknownTarget")

    def test_unwanted_body(self, gallery: Gallery, call: Any) -> None:
        """An empty answer of 400; behind the look-up of the target, before the date."""
        database, ids = gallery
        if not call.takes_body:
            path = call.path.replace("{target_id:str}", ids["one"])
            empty(database.send(call.verb, path, {"key": "value"}, date="x"), 400)

    def test_no_body(self, gallery: Gallery, call: Any) -> None:
        database, ids = gallery
        if call.takes_body:
            path = call.path.replace("{target_id:str}", ids["one"])
            refused(database.send(call.verb, path), 500, "Fail")

    @pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"1", b"null", b" ", b"\xff", b'{"a":NaN}', b"[" * 9999])
    def test_no_json_object(self, gallery: Gallery, call: Any, body: bytes) -> None:
        """Behind the date."""
        database, ids = gallery
        if call.takes_body:
            path = call.path.replace("{target_id:str}", ids["one"])
            refused(database.send(call.verb, path, body), 400, "Fail")
            refused(database.send(call.verb, path, body, date=http_date(minutes=9)), 403, "RequestTimeTooSkewed")

    def test_no_content_type(self, gallery: Gallery, call: Any) -> None:
        """Only calls with a body need one; then it is signed as empty, and missed after all else."""
        database, ids = gallery
        path = call.path.replace("{target_id:str}", ids["one"])
        if call.name == "updateTarget":
            refused(database.send("PUT", path, b"{}", content_type=None), 401, "AuthenticationFailure")
            refused(database.send("PUT", path, b"{", content_type=None), 400, "Fail")
        elif not call.takes_body and call.verb == "GET":
            succeeded(database.send("GET", path, content_type=None))

    def test_switched_off(self, switched_off: Vuforia, call: Any) -> None:
        """Reading goes on, but for duplicates; what does not is refused before the target is looked up."""
        response = send(switched_off, call, UNKNOWN)
        if not call.works_inactive:
            refused(response, 403, "ProjectInactive")
        elif "target_id" in call.path:
            refused(response, 404, "UnknownTarget")
        else:
            succeeded(response)


class TestPaths:
    """What a client may take for the path that it signs."""

    def test_with_the_mounts_prefix(self, gallery: Gallery) -> None:
        database, _ = gallery
        signed = Vuforia(http=database.http, server=database.server, client=database.client, prefix="")
        succeeded(signed.send("GET", "/vuforia/summary"))
        succeeded(signed.send("GET", "/vuforia/targets"))

    def test_at_the_root_of_its_own_port(self, gallery: Gallery, own_port: str) -> None:
        """Nothing else answers there."""
        database, ids = gallery
        with httpx.Client(base_url=own_port) as client:
            there = Vuforia(http=client, server=database.server, client=database.client, prefix="")
            assert len(succeeded(there.send("GET", "/targets"))["results"]) == 3
            assert there.found(photo_of(1))[0]["target_id"] == ids["one"]
            for path in ("/", "/health", "/metrics", "/docs", "/vuforia/targets", "/FindImage", "/targets/infos"):
                response = client.get(path)
                unrouted = response.status_code == 404 and response.headers["content-type"].startswith("text/html")
                assert unrouted or response.json()["result_code"] == "AuthenticationFailure"

    def test_behind_a_proxy(self, gallery: Gallery) -> None:
        """A prefix that is not set is not part of any path."""
        database, _ = gallery
        refused(
            Vuforia(http=database.http, server=database.server, client=database.client, prefix="/vuforia").raw(
                "GET",
                "/summary",
                b"",
                authorization=database.authorization(
                    database.server, "GET", "/x/summary", body=b"", content_type="", date=http_date()
                ),
                date=http_date(),
            ),
            401,
            "AuthenticationFailure",
        )

    @pytest.mark.parametrize("path", ["/", "/nothing", "/v1/other", "/targets/a/b"])
    def test_unrouted(self, gallery: Gallery, path: str) -> None:
        """A page."""
        response = gallery[0].send("GET", path)
        assert response.status_code == 404
        assert response.headers["content-type"].startswith("text/html")
        assert response.text.startswith("<html>")

    def test_another_verb(self, gallery: Gallery) -> None:
        assert gallery[0].send("PATCH", "/targets").status_code in (404, 405)

    def test_query_strings_are_not_signed(self, gallery: Gallery) -> None:
        database, _ = gallery
        date = http_date()
        signed = database.authorization(database.server, "GET", "/summary", body=b"", content_type="", date=date)
        succeeded(database.raw("GET", "/summary?x=1", b"", authorization=signed, date=date))


class TestQuery:
    """The same of the query, whose errors are often text."""

    def text(self, response: httpx.Response, status: int, text: str) -> None:
        assert (response.status_code, response.text) == (status, text)

    def test_missing_authorization(self, gallery: Gallery) -> None:
        response = gallery[0].query(photo_of(1), authorization=None)
        self.text(response, 401, "Authorization header missing.")
        assert response.headers["www-authenticate"] == "KWS"
        assert response.headers["content-type"] == "text/plain;charset=iso-8859-1"

    @pytest.mark.parametrize("header", ["", "gibberish", "VWS", "VWS key", "VWS key:", "VWS a:b:c", "V a b:c"])
    def test_malformed_authorization(self, gallery: Gallery, header: str) -> None:
        response = gallery[0].query(photo_of(1), authorization=header)
        self.text(response, 401, "Malformed authorization header.")
        assert response.headers["www-authenticate"] == "KWS"

    @pytest.mark.parametrize("header", ["VWS unknown:abc", "Basic {key}:abc", "VWS {key}:abc"])
    def test_wrong_key_scheme_or_signature(self, gallery: Gallery, header: str) -> None:
        database, _ = gallery
        header = header.replace("{key}", database.client.access_key)
        response = database.query(photo_of(1), authorization=header)
        refused(response, 401, "AuthenticationFailure")
        assert response.headers["www-authenticate"] == "VWS"

    def test_server_key(self, gallery: Gallery) -> None:
        """The pair that manages queries nothing."""
        database, _ = gallery
        refused(database.with_pairs(client=database.server).query(photo_of(1)), 401, "AuthenticationFailure")

    def test_missing_date(self, gallery: Gallery) -> None:
        self.text(gallery[0].query(photo_of(1), date=None), 400, "Date header required.")

    def test_malformed_date(self, gallery: Gallery) -> None:
        response = gallery[0].query(photo_of(1), date="2026-11-26T06:34:42Z")
        self.text(response, 401, "Malformed date header.")
        assert response.headers["www-authenticate"] == "KWS"

    @pytest.mark.parametrize("zone", ["", " GMT"])
    @pytest.mark.parametrize(
        "layout", ["%a, %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S", "%a %d %b %Y %H:%M:%S"]
    )
    def test_layouts_of_dates(self, gallery: Gallery, layout: str, zone: str) -> None:
        date = dt.datetime.now(dt.UTC).strftime(layout) + zone
        assert gallery[0].query(photo_of(1), date=date).status_code == 200

    @pytest.mark.parametrize(("minutes", "fresh"), [(-65.1, False), (65.1, False), (-64.5, True), (64.5, True)])
    def test_skewed_date(self, gallery: Gallery, minutes: float, fresh: bool) -> None:
        """65 minutes."""
        response = gallery[0].query(photo_of(1), date=http_date(minutes=minutes))
        if fresh:
            assert response.status_code == 200
        else:
            refused(response, 403, "RequestTimeTooSkewed")

    def test_switched_off(self, switched_off: Vuforia) -> None:
        refused(switched_off.query(photo_of(1)), 403, "InactiveProject")

    def test_the_content_type_that_was_sent_may_be_signed(self, gallery: Gallery) -> None:
        """Without its boundary."""
        database, _ = gallery
        body, kind = multipart_body(photo_of(1), {})
        kind = kind.replace("multipart/form-data", "*/*")
        date = http_date()
        signed = database.authorization(database.client, "POST", "/v1/query", body=body, content_type="*/*", date=date)
        response = database.raw("POST", "/v1/query", body, authorization=signed, date=date, content_type=kind)
        assert response.status_code == 200


class TestOrder:
    """What is wrong first is what is answered."""

    def test_management(self, switched_off: Vuforia, gallery: Gallery) -> None:
        """Authorization, signature, project, target, body, date, JSON, fields, content type."""
        wrong = AccessPair(access_key=switched_off.server.access_key, secret_key="x")
        refused(switched_off.with_pairs(server=wrong).send("POST", "/targets", b"{"), 401, "AuthenticationFailure")
        refused(switched_off.send("PUT", f"/targets/{UNKNOWN}", b"{", date=None), 403, "ProjectInactive")
        database, ids = gallery
        refused(database.send("PUT", f"/targets/{UNKNOWN}", b"{", date=None), 404, "UnknownTarget")
        path = f"/targets/{ids['one']}"
        refused(database.send("PUT", path, b"{", date=http_date(minutes=9)), 403, "RequestTimeTooSkewed")
        both = {"application_metadata": "&", "image": 1}
        refused(database.send("PUT", path, both), 422, "Fail")
        refused(database.send("PUT", path, {"image": b64(b"x"), "name": ""}), 422, "BadImage")
        refused(database.send("PUT", path, {"name": "two", "width": 0}), 403, "TargetNameExist")

    def test_query(self, switched_off: Vuforia, gallery: Gallery) -> None:
        """Authorization, signature, project, Accept, date, content type, parts, image, count."""
        refused(switched_off.query(None, accept="text/html", date="x"), 403, "InactiveProject")
        database, _ = gallery
        empty(database.query(None, accept="text/html", date="x"), 406)
        assert database.query(None, date="x", content_type="text/plain").text == "Malformed date header."
        empty(database.query(None, fields={"x": 1}, content_type="text/plain"), 415)
        assert database.query(None, fields={"x": 1}).text == "Unknown parameters in the request."
        assert database.query(None, fields={"max_num_results": "x"}).text == "No image."
        refused(database.query(b"x", fields={"max_num_results": "x"}), 422, "BadImage")
