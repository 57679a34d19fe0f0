"""Processing, success and failure."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.drawn import encoded, poster
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server, make_user, serving
from tests.support.vuforia_client import Vuforia, b64, make_database, refused, succeeded

SECONDS = 1.5
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A target is processed for a while."""
    folder = tmp_path_factory.mktemp("slow")
    with serving(folder / "data", log=folder / "log", vuforia_processing_seconds=SECONDS) as running:
        yield running


@pytest.fixture(scope="module")
def slow_owner(slow_server: Server) -> Caller:
    return make_user(slow_server.folder, "owner")


@pytest.fixture
def slow(slow_server: Server, slow_owner: Caller) -> Vuforia:
    return make_database(slow_server.folder, f"slow-{next(_numbers)}", slow_owner, slow_server.client)


def wait(database: Vuforia, target_id: str) -> dict[str, Any]:
    """As clients do it."""
    for _ in range(100):
        answer = database.get(target_id)
        if answer["status"] != "processing":
            return answer
        time.sleep(0.1)
    raise AssertionError("it is still processing")


class TestProcessing:
    def test_new(self, slow: Vuforia) -> None:
        """It is not rated, not found, not deleted, not changed, and similar to nothing."""
        other = slow.add(picture(20))
        wait(slow, other)
        target_id = slow.add(picture(20), name="new")
        answer = slow.get(target_id)
        assert (answer["status"], answer["target_record"]["tracking_rating"]) == ("processing", -1)
        assert [found["target_id"] for found in slow.found(photo_of(20), max_num_results=9)] == [other]
        refused(slow.send("PUT", f"/targets/{target_id}", {"width": 2}), 403, "TargetStatusNotSuccess")
        refused(slow.send("DELETE", f"/targets/{target_id}"), 403, "TargetStatusProcessing")
        for one in (target_id, other):
            assert succeeded(slow.send("GET", f"/duplicates/{one}"))["similar_targets"] == []
        assert target_id in succeeded(slow.send("GET", "/targets"))["results"]
        summary = succeeded(slow.send("GET", "/summary"))
        assert (summary["active_images"], summary["processing_images"]) == (1, 1)
        refused(
            slow.send("POST", "/targets", {"name": "new", "width": 1, "image": b64(picture(21))}),
            403,
            "TargetNameExist",
        )
        answer = wait(slow, target_id)
        assert (answer["status"], answer["target_record"]["tracking_rating"]) == ("success", 4)
        assert [found["target_id"] for found in slow.found(photo_of(20), max_num_results=9)] == [other, target_id]
        assert succeeded(slow.send("GET", f"/duplicates/{other}"))["similar_targets"] == [target_id]

    @pytest.mark.parametrize("changes", [{}, {"width": 2}, {"application_metadata": ""}, {"image": b64(picture(21))}])
    def test_changed(self, slow: Vuforia, changes: dict[str, Any]) -> None:
        """Whatever changes, or nothing: it is processed again."""
        target_id = slow.add(picture(20))
        wait(slow, target_id)
        succeeded(slow.send("PUT", f"/targets/{target_id}", changes))
        assert succeeded(slow.send("GET", f"/summary/{target_id}"))["status"] == "processing"
        refused(slow.send("DELETE", f"/targets/{target_id}"), 403, "TargetStatusProcessing")
        assert wait(slow, target_id)["status"] == "success"
        succeeded(slow.send("DELETE", f"/targets/{target_id}"))

    def test_hidden_matches_are_not_counted(self, slow: Vuforia) -> None:
        target_id = slow.add(picture(20))
        assert slow.found(photo_of(20)) == []
        wait(slow, target_id)
        assert len(slow.found(photo_of(20))) == 1
        assert succeeded(slow.send("GET", "/summary"))["total_recos"] == 1

    def test_failing(self, slow: Vuforia) -> None:
        """It is processed, too."""
        target_id = slow.add(flat())
        assert slow.get(target_id)["status"] == "processing"
        refused(slow.send("DELETE", f"/targets/{target_id}"), 403, "TargetStatusProcessing")
        assert succeeded(slow.send("GET", "/summary"))["processing_images"] == 1
        answer = wait(slow, target_id)
        assert (answer["status"], answer["target_record"]["tracking_rating"]) == ("failed", 0)
        assert succeeded(slow.send("GET", "/summary"))["failed_images"] == 1


class TestAtOnce:
    def test_success_in_the_next_call(self, database: Vuforia) -> None:
        """Without the setting."""
        target_id = database.add(picture(20))
        assert database.get(target_id)["status"] == "success"
        succeeded(database.send("PUT", f"/targets/{target_id}", {}))
        assert database.get(target_id)["status"] == "success"
        assert len(database.found(photo_of(20))) == 1


NOISE = encoded(np.random.default_rng(1).integers(0, 256, (5, 5, 3), np.uint8), ".png")
"""Too small, but not without contrast."""


class TestPoor:
    """An image with contrast that cannot be found again: success, with the rating 0."""

    def test_whole_life(self, database: Vuforia) -> None:
        target_id = database.add(NOISE, name="noise", application_metadata=b64(b"kept"), active_flag=False)
        path = f"/targets/{target_id}"
        answer = database.get(target_id)
        assert (answer["status"], answer["target_record"]["tracking_rating"]) == ("success", 0)
        assert succeeded(database.send("GET", "/summary"))["inactive_images"] == 1
        succeeded(database.send("PUT", path, {"active_flag": True, "width": 2, "name": "other"}))
        record = database.get(target_id)["target_record"]
        assert (record["name"], record["width"], record["active_flag"]) == ("other", 2.0, True)
        assert succeeded(database.send("GET", "/summary"))["active_images"] == 1
        assert database.found(NOISE) == []
        succeeded(database.send("PUT", path, {"image": b64(picture(20))}))
        assert database.get(target_id)["target_record"] == {**record, "tracking_rating": 4}
        (found,) = database.found(photo_of(20))
        assert (found["target_id"], found["target_data"]["application_metadata"]) == (target_id, b64(b"kept"))
        succeeded(database.send("PUT", path, {"image": b64(NOISE), "name": "again"}))
        record = database.get(target_id)["target_record"]
        assert (record["name"], record["width"], record["tracking_rating"]) == ("again", 2.0, 0)
        assert database.found(photo_of(20)) == []
        assert succeeded(database.send("GET", f"/summary/{target_id}"))["total_recos"] == 1
        assert succeeded(database.send("GET", "/targets"))["results"] == [target_id]
        succeeded(database.send("PUT", path, {"image": b64(flat())}))
        assert database.get(target_id)["status"] == "failed"
        succeeded(database.send("DELETE", path))
        assert succeeded(database.send("GET", "/targets"))["results"] == []

    def test_names_stay_unique(self, database: Vuforia) -> None:
        target_id, _ = database.add(NOISE, name="noise"), database.add(picture(20), name="taken")
        refused(database.send("PUT", f"/targets/{target_id}", {"name": "taken"}), 403, "TargetNameExist")
        succeeded(database.send("PUT", f"/targets/{target_id}", {"name": "noise"}))

    def test_damaged(self, database: Vuforia) -> None:
        """A small one is decoded, too."""
        refused(database.send("POST", "/targets", {"name": "x", "width": 1, "image": b64(NOISE[:40])}), 422, "BadImage")


@pytest.mark.parametrize("image", [flat(), encoded(poster(20)[:1, :1], ".png"), flat(5)])
class TestFailed:
    """An image that shows nothing, or next to it."""

    def test_added(self, database: Vuforia, image: bytes) -> None:
        target_id = database.add(image, name="dull", width=3, active_flag=False)
        answer = database.get(target_id)
        assert answer["status"] == "failed"
        assert answer["target_record"] == {
            "target_id": target_id,
            "active_flag": False,
            "name": "dull",
            "width": 3.0,
            "tracking_rating": 0,
            "reco_rating": "",
        }
        assert succeeded(database.send("GET", "/targets"))["results"] == [target_id]
        refused(database.send("PUT", f"/targets/{target_id}", {"width": 1}), 403, "TargetStatusNotSuccess")
        assert succeeded(database.send("GET", f"/duplicates/{target_id}"))["similar_targets"] == []
        summary = succeeded(database.send("GET", f"/summary/{target_id}"))
        assert (summary["status"], summary["tracking_rating"], summary["total_recos"]) == ("failed", 0, 0)
        succeeded(database.send("DELETE", f"/targets/{target_id}"))
        refused(database.send("GET", f"/targets/{target_id}"), 404, "UnknownTarget")

    def test_changed(self, database: Vuforia, image: bytes) -> None:
        """It keeps id, name and date, and is found no more."""
        target_id = database.add(picture(20), name="was good")
        succeeded(database.send("PUT", f"/targets/{target_id}", {"image": b64(image), "width": 2}))
        answer = database.get(target_id)
        assert answer["status"] == "failed"
        assert (answer["target_record"]["name"], answer["target_record"]["width"]) == ("was good", 2.0)
        assert database.found(photo_of(20)) == []
        assert succeeded(database.send("GET", "/targets"))["results"] == [target_id]
        succeeded(database.send("DELETE", f"/targets/{target_id}"))
        database.add(picture(20), name="was good")

    def test_photo(self, gallery: tuple[Vuforia, dict[str, str]], image: bytes) -> None:
        """Such a photo shows no target."""
        assert gallery[0].found(image) == []
