"""What a target may be, and what management tells of it."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest
from PIL import Image

from api.dialects.vuforia.fields import METADATA_BYTES
from api.dialects.vuforia.images import TARGET_BYTES
from api.dialects.vuforia.targets import identifier_of
from engine.catalogue.rules import IDENTIFIER
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server
from tests.support.vuforia_client import UNKNOWN, Vuforia, b64, make_database, refused, succeeded

Gallery = tuple[Vuforia, dict[str, str]]
NEW: dict[str, Any] = {"name": "new", "width": 1, "image": b64(picture(20))}
"""What addTarget needs."""
ABSENT = object()


def fields(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**NEW, **changes}.items() if value is not ABSENT}


def in_mode(mode: str, kind: str, *, size: tuple[int, int] = (320, 320)) -> bytes:
    """Picture 20 in a mode of Pillow's."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(picture(20))) as opened:
        opened.resize(size).convert(mode).save(file, kind)
    return file.getvalue()


class TestAdd:
    def test_answer(self, database: Vuforia) -> None:
        answer = succeeded(database.send("POST", "/targets", NEW), status=201, code="TargetCreated")
        assert set(answer) == {"transaction_id", "result_code", "target_id"}
        record = database.get(answer["target_id"])
        assert record["status"] == "success"
        assert record["target_record"] == {
            "target_id": answer["target_id"],
            "active_flag": True,
            "name": "new",
            "width": 1.0,
            "tracking_rating": 4,
            "reco_rating": "",
        }

    @pytest.mark.parametrize("name", ["name", "width", "image"])
    def test_missing(self, database: Vuforia, name: str) -> None:
        refused(database.send("POST", "/targets", fields(**{name: ABSENT})), 400, "Fail")

    def test_unknown_field(self, database: Vuforia) -> None:
        refused(database.send("POST", "/targets", fields(extra=1)), 400, "Fail")

    @pytest.mark.parametrize("value", [None, 1, True, "", "x" * 65, [], {}])
    def test_wrong_name(self, database: Vuforia, value: Any) -> None:
        refused(database.send("POST", "/targets", fields(name=value)), 400, "Fail")

    @pytest.mark.parametrize("name", ["x", "ä" * 64, "\uffff", " ", 'a"\\/\n', "x" * 64, "v." + "0" * 40])
    def test_right_name(self, database: Vuforia, name: str) -> None:
        target_id = database.add(picture(20), name=name)
        assert database.get(target_id)["target_record"]["name"] == name
        assert database.found(photo_of(20))[0]["target_data"]["name"] == name
        refused(database.send("POST", "/targets", fields(name=name)), 403, "TargetNameExist")

    def test_astral_name(self, database: Vuforia) -> None:
        """A new target: Fail 500; another name: TargetNameExist."""
        refused(database.send("POST", "/targets", fields(name="\U00010000")), 500, "Fail")
        target_id = database.add(picture(20))
        refused(database.send("PUT", f"/targets/{target_id}", {"name": "\U00010000"}), 403, "TargetNameExist")

    @pytest.mark.parametrize("value", [None, 0, -1, -0.1, "1", True, [], {}])
    def test_wrong_width(self, database: Vuforia, value: Any) -> None:
        refused(database.send("POST", "/targets", fields(width=value)), 400, "Fail")

    @pytest.mark.parametrize("text", ["1e999", "1" * 500])
    def test_endless_width(self, database: Vuforia, text: str) -> None:
        body = json.dumps(NEW).replace('"width": 1', f'"width": {text}').encode()
        refused(database.send("POST", "/targets", body), 400, "Fail")

    @pytest.mark.parametrize("value", [0.1, 7, 1e-9, 12345.678])
    def test_right_width(self, database: Vuforia, value: float) -> None:
        target_id = database.add(picture(20), width=value)
        assert database.get(target_id)["target_record"]["width"] == value

    @pytest.mark.parametrize("value", ["true", 0, 1, 10, [], {}])
    def test_wrong_active_flag(self, database: Vuforia, value: Any) -> None:
        refused(database.send("POST", "/targets", fields(active_flag=value)), 400, "Fail")

    @pytest.mark.parametrize(("value", "active"), [(True, True), (False, False), (None, True)])
    def test_right_active_flag(self, database: Vuforia, value: Any, active: bool) -> None:
        """Null is true. An inactive target is not found."""
        target_id = database.add(picture(20), active_flag=value)
        assert database.get(target_id)["target_record"]["active_flag"] is active
        assert len(database.found(photo_of(20))) == active

    def test_quota(self, vuforia_server: Server, owner: Caller) -> None:
        """The channel's; failed targets count."""
        full = make_database(vuforia_server.folder, "full", owner, vuforia_server.client, quota=2)
        full.add(picture(20))
        full.add(flat())
        refused(full.send("POST", "/targets", NEW), 403, "TargetQuotaReached")
        assert succeeded(full.send("GET", "/summary"))["target_quota"] == 2


class TestNames:
    @pytest.mark.parametrize("name", ["cover", "a", "ä", "x" * 51, "v." + "0" * 40, "a b"])
    def test_identifiers(self, name: str) -> None:
        """Names that could be an identifier are it."""
        assert IDENTIFIER.fullmatch(identifier_of(name))
        assert (identifier_of(name) == name) == (name == "cover")

    def test_renamed(self, database: Vuforia) -> None:
        """The old name is free, the new one taken; its own is no other's."""
        first, second = database.add(picture(20), name="first"), database.add(picture(21), name="second")
        refused(database.send("PUT", f"/targets/{first}", {"name": "second"}), 403, "TargetNameExist")
        succeeded(database.send("PUT", f"/targets/{first}", {"name": "first"}))
        succeeded(database.send("PUT", f"/targets/{first}", {"name": "ärst"}))
        assert database.get(first)["target_record"]["name"] == "ärst"
        succeeded(database.send("PUT", f"/targets/{second}", {"name": "first"}))
        refused(database.send("POST", "/targets", fields(name="ärst")), 403, "TargetNameExist")

    def test_failed_targets_have_names(self, database: Vuforia) -> None:
        target_id = database.add(flat(), name="dull")
        refused(database.send("POST", "/targets", fields(name="dull")), 403, "TargetNameExist")
        succeeded(database.send("DELETE", f"/targets/{target_id}"))
        database.add(picture(20), name="dull")


class TestMetadata:
    @pytest.mark.parametrize("data", [b"hello", "schön\n\0".encode(), b"\xff\xfe\0", b"x" * METADATA_BYTES, b""])
    def test_comes_back(self, database: Vuforia, data: bytes) -> None:
        """As it was sent, whether it is text or not."""
        database.add(picture(20), application_metadata=b64(data))
        (found,) = database.found(photo_of(20))
        assert found["target_data"]["application_metadata"] == b64(data)

    @pytest.mark.parametrize("absent", [{}, {"application_metadata": None}])
    def test_none(self, database: Vuforia, absent: dict[str, Any]) -> None:
        database.add(picture(20), **absent)
        assert database.found(photo_of(20))[0]["target_data"]["application_metadata"] is None

    @pytest.mark.parametrize("data", [b"x" * (METADATA_BYTES + 1)])
    def test_too_large(self, database: Vuforia, data: bytes) -> None:
        refused(database.send("POST", "/targets", fields(application_metadata=b64(data))), 422, "MetadataTooLarge")
        target_id = database.add(picture(20))
        changes = {"application_metadata": b64(data)}
        refused(database.send("PUT", f"/targets/{target_id}", changes), 422, "MetadataTooLarge")

    @pytest.mark.parametrize("value", [1, True, [], {}])
    def test_wrong_type(self, database: Vuforia, value: Any) -> None:
        refused(database.send("POST", "/targets", fields(application_metadata=value)), 400, "Fail")

    @pytest.mark.parametrize("text", ["aaa&", '"', "ab=c=", "a-_b"])
    def test_not_base64(self, database: Vuforia, text: str) -> None:
        refused(database.send("POST", "/targets", fields(application_metadata=text)), 422, "Fail")

    @pytest.mark.parametrize(("text", "read"), [("abcde", "abcd"), ("XN", "XA=="), ("XNA", "XNA=")])
    def test_nearly_base64(self, database: Vuforia, text: str, read: str) -> None:
        """Padding may be missing; one character too many is passed over."""
        database.add(picture(20), application_metadata=text)
        assert database.found(photo_of(20))[0]["target_data"]["application_metadata"] == read

    def test_update(self, database: Vuforia) -> None:
        target_id = database.add(picture(20), application_metadata=b64(b"\xff"))
        succeeded(database.send("PUT", f"/targets/{target_id}", {"application_metadata": b64(b"text")}))
        assert database.found(photo_of(20))[0]["target_data"]["application_metadata"] == b64(b"text")
        succeeded(database.send("PUT", f"/targets/{target_id}", {"application_metadata": ""}))
        assert database.found(photo_of(20))[0]["target_data"]["application_metadata"] == ""


class TestImages:
    @pytest.mark.parametrize(("mode", "kind"), [("L", "PNG"), ("RGB", "PNG"), ("L", "JPEG"), ("RGB", "JPEG")])
    def test_right(self, database: Vuforia, mode: str, kind: str) -> None:
        database.add(in_mode(mode, kind))

    @pytest.mark.parametrize(
        ("mode", "kind"),
        [("RGBA", "PNG"), ("P", "PNG"), ("1", "PNG"), ("LA", "PNG"), ("CMYK", "JPEG"), ("RGB", "TIFF"), ("RGB", "GIF")],
    )
    def test_other_colours_and_formats(self, database: Vuforia, mode: str, kind: str) -> None:
        refused(database.send("POST", "/targets", fields(image=b64(in_mode(mode, kind)))), 422, "BadImage")

    @pytest.mark.parametrize("data", [b"", b"text", picture(20)[:700], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
    def test_no_image(self, database: Vuforia, data: bytes) -> None:
        refused(database.send("POST", "/targets", fields(image=b64(data))), 422, "BadImage")

    @pytest.mark.parametrize("value", [None, 1, True, [], {}])
    def test_wrong_type(self, database: Vuforia, value: Any) -> None:
        refused(database.send("POST", "/targets", fields(image=value)), 400, "Fail")

    @pytest.mark.parametrize("text", ["a&", "\u00e4", "data:image/png;base64,aaaa"])
    def test_not_base64(self, database: Vuforia, text: str) -> None:
        refused(database.send("POST", "/targets", fields(image=text)), 422, "Fail")

    def test_bytes(self, database: Vuforia) -> None:
        """The last that fits, and one more. A PNG's tail is no part of the picture."""
        padded = picture(20) + b"\0" * (TARGET_BYTES - len(picture(20)))
        database.add(padded)
        refused(database.send("POST", "/targets", fields(image=b64(padded + b"\0"))), 422, "ImageTooLarge")

    def test_pixels(self, database: Vuforia) -> None:
        """37,748,736 are accepted: one row more is not, which the header tells."""
        file = io.BytesIO()
        Image.new("L", (6144, 6145)).save(file, "PNG")
        refused(database.send("POST", "/targets", fields(image=b64(file.getvalue()))), 422, "ImageTooLarge")

    def test_endless_body(self, database: Vuforia) -> None:
        refused(database.send("POST", "/targets", b"x" * 12_000_000), 422, "ImageTooLarge")


class TestUpdate:
    def test_each_field(self, database: Vuforia) -> None:
        target_id = database.add(picture(20), name="old", width=1)
        path = f"/targets/{target_id}"
        for changes in ({}, {"width": 2.5}, {"name": "new"}, {"active_flag": False}):
            answer = succeeded(database.send("PUT", path, changes))
            assert set(answer) == {"transaction_id", "result_code"}
        record = database.get(target_id)["target_record"]
        assert (record["name"], record["width"], record["active_flag"]) == ("new", 2.5, False)
        assert database.found(photo_of(20)) == []

    def test_image(self, database: Vuforia) -> None:
        """Only the new one is found, under the same target_id."""
        target_id = database.add(picture(20), name="same", application_metadata=b64(b"kept"))
        succeeded(database.send("PUT", f"/targets/{target_id}", {"image": b64(picture(21))}))
        assert database.found(photo_of(20)) == []
        (found,) = database.found(photo_of(21))
        assert found["target_id"] == target_id
        assert found["target_data"]["name"] == "same"
        assert found["target_data"]["application_metadata"] == b64(b"kept")

    @pytest.mark.parametrize("name", ["active_flag", "application_metadata", "name", "width", "image"])
    def test_null(self, gallery: Gallery, name: str) -> None:
        database, ids = gallery
        refused(database.send("PUT", f"/targets/{ids['one']}", {name: None}), 400, "Fail")

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"extra": 1}, 400, "Fail"),
            ({"name": ""}, 400, "Fail"),
            ({"name": 1}, 400, "Fail"),
            ({"width": 0}, 400, "Fail"),
            ({"active_flag": "true"}, 400, "Fail"),
            ({"application_metadata": 1}, 400, "Fail"),
            ({"application_metadata": "&"}, 422, "Fail"),
            ({"image": 1}, 400, "Fail"),
            ({"image": "&"}, 422, "Fail"),
            ({"image": b64(b"x")}, 422, "BadImage"),
            ({"image": b64(b"\xff\xd8\xff" + b"x" * TARGET_BYTES)}, 422, "BadImage"),
            ({"name": "two"}, 403, "TargetNameExist"),
        ],
    )
    def test_wrong(self, gallery: Gallery, changes: dict[str, Any], status: int, code: str) -> None:
        database, ids = gallery
        refused(database.send("PUT", f"/targets/{ids['one']}", changes), status, code)


class TestListAndDelete:
    def test_order_and_removal(self, database: Vuforia) -> None:
        """In the order of addition, which a change does not touch."""
        ids = [database.add(picture(20 + number)) for number in range(3)]
        succeeded(database.send("PUT", f"/targets/{ids[0]}", {"image": b64(picture(30)), "name": "zzz"}))
        answer = succeeded(database.send("GET", "/targets"))
        assert set(answer) == {"transaction_id", "result_code", "results"}
        assert answer["results"] == ids
        answer = succeeded(database.send("DELETE", f"/targets/{ids[1]}"))
        assert set(answer) == {"transaction_id", "result_code"}
        refused(database.send("DELETE", f"/targets/{ids[1]}"), 404, "UnknownTarget")
        assert succeeded(database.send("GET", "/targets"))["results"] == [ids[0], ids[2]]
        assert database.found(photo_of(21)) == []

    def test_empty(self, database: Vuforia) -> None:
        assert succeeded(database.send("GET", "/targets"))["results"] == []


class TestDuplicates:
    def test_found(self, database: Vuforia) -> None:
        """Others that are the same picture, and active; in a fixed order."""
        first, second = database.add(picture(20)), database.add(picture(20))
        other, hidden = database.add(picture(21)), database.add(picture(20), active_flag=False)
        answer = succeeded(database.send("GET", f"/duplicates/{first}"))
        assert set(answer) == {"transaction_id", "result_code", "similar_targets"}
        assert answer["similar_targets"] == [second]
        assert succeeded(database.send("GET", f"/duplicates/{other}"))["similar_targets"] == []
        assert succeeded(database.send("GET", f"/duplicates/{hidden}"))["similar_targets"] == [first, second]


class TestSummaries:
    def test_database(self, database: Vuforia) -> None:
        database.add(picture(20))
        database.add(picture(21), active_flag=False)
        database.add(flat())
        database.found(photo_of(20))
        answer = succeeded(database.send("GET", "/summary"))
        del answer["transaction_id"]
        assert answer.pop("name").startswith("database-")
        assert answer == {
            "result_code": "Success",
            "active_images": 1,
            "inactive_images": 1,
            "failed_images": 1,
            "processing_images": 0,
            "target_quota": 1000,
            "total_recos": 1,
            "current_month_recos": 1,
            "previous_month_recos": 0,
            "reco_threshold": 1000,
            "request_quota": 100_000,
            "request_usage": 0,
        }

    def test_target(self, database: Vuforia) -> None:
        """Matches count on through a new name."""
        target_id = database.add(picture(20), name="old")
        database.found(photo_of(20))
        succeeded(database.send("PUT", f"/targets/{target_id}", {"name": "new"}))
        database.found(photo_of(20))
        answer = succeeded(database.send("GET", f"/summary/{target_id}"))
        assert set(answer) == {
            *("transaction_id", "result_code", "status", "database_name", "target_name", "upload_date", "active_flag"),
            *("tracking_rating", "total_recos", "current_month_recos", "previous_month_recos"),
        }
        assert answer["database_name"] == succeeded(database.send("GET", "/summary"))["name"]
        assert (answer["status"], answer["target_name"], answer["active_flag"]) == ("success", "new", True)
        assert answer["upload_date"] in {dt.datetime.now(dt.UTC).date().isoformat(), UNKNOWN}
        assert (answer["total_recos"], answer["current_month_recos"], answer["previous_month_recos"]) == (2, 2, 0)
        assert answer["tracking_rating"] == 4
