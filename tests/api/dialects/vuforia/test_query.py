"""The query: its form, its errors, its results."""

from __future__ import annotations

import io
import time
from typing import Any

import httpx
import pytest
from PIL import Image

from api.dialects.vuforia.images import QUERY_BYTES, QUERY_SIDE
from tests.support.drawn_pictures import photo_of, picture
from tests.support.vuforia_client import Vuforia, b64, empty, multipart_body, queried, refused, succeeded

Gallery = tuple[Vuforia, dict[str, str]]


def text(response: httpx.Response, status: int, expected: str) -> None:
    assert (response.status_code, response.text) == (status, expected)


def page(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<html>")


class TestResults:
    def test_match(self, gallery: Gallery) -> None:
        database, ids = gallery
        (found,) = database.found(photo_of(2))
        assert set(found) == {"target_id", "target_data"}
        assert found["target_id"] == ids["two"]
        data = found["target_data"]
        assert set(data) == {"target_timestamp", "name", "application_metadata"}
        assert (data["name"], data["application_metadata"]) == ("two", None)
        assert isinstance(data["target_timestamp"], int)
        assert abs(data["target_timestamp"] - time.time()) < 3600

    def test_no_match(self, gallery: Gallery) -> None:
        assert gallery[0].found(photo_of(40)) == []

    def test_copies_in_the_order_of_addition(self, database: Vuforia) -> None:
        """As many as were asked for; `top` tells about the first."""
        ids = [database.add(picture(20)) for _ in range(3)]
        assert [found["target_id"] for found in database.found(photo_of(20))] == ids[:1]
        found = database.found(photo_of(20), max_num_results=2)
        assert [one["target_id"] for one in found] == ids[:2]
        assert ["target_data" in one for one in found] == [True, False]
        assert [one["target_id"] for one in database.found(photo_of(20), max_num_results=50)] == ids
        for value, told in (("all", [True] * 3), ("NONE", [False] * 3), ("Top", [True, False, False])):
            found = database.found(photo_of(20), max_num_results=3, include_target_data=value)
            assert ["target_data" in one for one in found] == told

    def test_timestamp_of_the_last_change(self, database: Vuforia) -> None:
        target_id = database.add(picture(20))
        before = database.found(photo_of(20))[0]["target_data"]["target_timestamp"]
        time.sleep(1.1)
        succeeded(database.send("PUT", f"/targets/{target_id}", {"width": 2}))
        assert database.found(photo_of(20))[0]["target_data"]["target_timestamp"] > before

    def test_counted_once(self, database: Vuforia) -> None:
        """Whatever is asked for with it; a query that finds nothing counts nothing."""
        first, _ = database.add(picture(20)), database.add(picture(20))
        database.found(photo_of(20), max_num_results=10)
        database.found(photo_of(21))
        assert succeeded(database.send("GET", "/summary"))["total_recos"] == 1
        assert succeeded(database.send("GET", f"/summary/{first}"))["total_recos"] == 1


class TestForm:
    @pytest.mark.parametrize("accept", ["application/json", "*/*"])
    def test_accepted(self, gallery: Gallery, accept: str) -> None:
        assert gallery[0].query(photo_of(1), accept=accept).status_code == 200

    @pytest.mark.parametrize("accept", ["text/html", "application/*", ""])
    def test_not_acceptable(self, gallery: Gallery, accept: str) -> None:
        empty(gallery[0].query(photo_of(1), accept=accept), 406)

    @pytest.mark.parametrize("kind", ["", None])
    def test_no_content_type(self, gallery: Gallery, kind: str | None) -> None:
        page(gallery[0].query(photo_of(1), content_type=kind), 400)

    @pytest.mark.parametrize("kind", ["text/html", "text/html; boundary=x", "application/json", "multipart/mixed"])
    def test_another_content_type(self, gallery: Gallery, kind: str) -> None:
        empty(gallery[0].query(photo_of(1), content_type=kind), 415)

    @pytest.mark.parametrize("kind", ["multipart/form-data", "*/*", "multipart/form-data; boundary="])
    def test_no_boundary(self, gallery: Gallery, kind: str) -> None:
        response = gallery[0].query(photo_of(1), content_type=kind)
        assert response.status_code == 400
        assert "Unable to get boundary for multipart" in response.text

    def test_another_boundary(self, gallery: Gallery) -> None:
        text(gallery[0].query(photo_of(1), content_type="multipart/form-data; boundary=other"), 400, "No image.")

    def test_a_part_without_a_name(self, gallery: Gallery) -> None:
        body = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n"
        response = gallery[0].send_query(body, content_type="multipart/form-data; boundary=b")
        text(response, 400, "Could find no Content-Disposition header within part")

    @pytest.mark.parametrize(
        "body", [b"--b", b"--b\r\n", b"--b\r\nContent-Disposition: form-data; name=image\r\n\r\nx"]
    )
    def test_a_cut_body(self, gallery: Gallery, body: bytes) -> None:
        response = gallery[0].send_query(body, content_type="multipart/form-data; boundary=b")
        text(response, 400, "The parts of the multipart body cannot be told from each other.")

    def test_no_image(self, gallery: Gallery) -> None:
        text(gallery[0].query(None, fields={"max_num_results": 1}), 400, "No image.")

    def test_an_image_that_is_no_file(self, gallery: Gallery) -> None:
        text(gallery[0].query(None, fields={"image": "x"}), 400, "No image.")

    def test_unknown_parameters(self, gallery: Gallery) -> None:
        text(gallery[0].query(photo_of(1), fields={"extra": 1}), 400, "Unknown parameters in the request.")

    @pytest.mark.parametrize("value", ["x", "", "1.5", "0x1", "2147483648", "-", "1 1", "9" * 30])
    def test_no_number(self, gallery: Gallery, value: str) -> None:
        text(
            gallery[0].query(photo_of(1), fields={"max_num_results": value}),
            400,
            f"Invalid value '{value}' in form data part 'max_result'. "
            "Expecting integer value in range from 1 to 50 (inclusive).",
        )

    @pytest.mark.parametrize("value", ["0", "-1", "51", "2147483647"])
    def test_out_of_range(self, gallery: Gallery, value: str) -> None:
        text(
            gallery[0].query(photo_of(1), fields={"max_num_results": value}),
            400,
            f"Integer out of range ({value}) in form data part 'max_result'. "
            "Accepted range is from 1 to 50 (inclusive).",
        )

    @pytest.mark.parametrize("value", ["a", "True", "", "0"])
    def test_wrong_target_data(self, gallery: Gallery, value: str) -> None:
        text(
            gallery[0].query(photo_of(1), fields={"include_target_data": value}),
            400,
            f"Invalid value '{value.lower()}' in form data part 'include_target_data'. "
            "Expecting one of the (unquoted) string values 'all', 'none' or 'top'.",
        )


class TestImages:
    @pytest.mark.parametrize("data", [b"", b"text", photo_of(1)[:700], b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\0" * 90])
    def test_bad(self, gallery: Gallery, data: bytes) -> None:
        refused(gallery[0].query(data), 422, "BadImage")

    def test_modes(self, gallery: Gallery) -> None:
        """Unlike a target's, a photo may be transparent or in a palette."""
        database, ids = gallery
        for mode in ("RGBA", "P", "L"):
            file = io.BytesIO()
            with Image.open(io.BytesIO(photo_of(1))) as opened:
                opened.convert(mode).save(file, "PNG")
            assert database.found(file.getvalue())[0]["target_id"] == ids["one"]

    @pytest.mark.parametrize(("side", "accepted"), [(QUERY_SIDE, True), (QUERY_SIDE + 1, False)])
    def test_sides(self, gallery: Gallery, side: int, accepted: bool) -> None:
        file = io.BytesIO()
        Image.new("L", (side, 40)).save(file, "PNG")
        response = gallery[0].query(file.getvalue())
        if accepted:
            assert queried(response) == []
        else:
            refused(response, 422, "BadImage")

    def test_too_many_pixels(self, gallery: Gallery) -> None:
        """Our own limit."""
        file = io.BytesIO()
        Image.new("1", (9000, 9000)).save(file, "PNG")
        refused(gallery[0].query(file.getvalue()), 422, "BadImage")

    def test_bytes(self, gallery: Gallery) -> None:
        """2 MiB, whatever the format: the last that fits, one more, and more than any body."""
        database, ids = gallery
        padded = photo_of(1) + b"\0" * (QUERY_BYTES - len(photo_of(1)))
        assert database.found(padded)[0]["target_id"] == ids["one"]
        page(database.query(padded + b"\0"), 413)
        page(database.query(padded + b"\0" * 1_000_000), 413)


class TestParts:
    def test_first_of_two_counts(self, gallery: Gallery) -> None:
        database, ids = gallery
        body, kind = multipart_body(photo_of(1), {"max_num_results": 1})
        boundary = kind.split("boundary=")[1].encode()
        second = b'--%b\r\nContent-Disposition: form-data; name="max_num_results"\r\n\r\nx\r\n' % boundary
        body = body.replace(b"--%b--" % boundary, second + b"--%b--" % boundary)
        found: list[dict[str, Any]] = queried(database.send_query(body, content_type=kind))
        assert found[0]["target_id"] == ids["one"]

    def test_metadata_of_another_kind(self, database: Vuforia) -> None:
        database.add(picture(20), application_metadata=b64(b"\0\xff"))
        assert database.found(photo_of(20))[0]["target_data"]["application_metadata"] == b64(b"\0\xff")
