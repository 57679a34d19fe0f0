"""Many clients at once: one winner per identifier, and no answer that was never true."""

from __future__ import annotations

import concurrent.futures

from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server, make_channel


class TestOneIdentifier:
    def test_exactly_one_wins(self, server: Server, alice: Caller, channel: str) -> None:
        """The others are told that it is taken."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            calls = [
                pool.submit(server.code, "AddImage", alice, picture(60 + n % 2), channel=channel, identifier="same")
                for n in range(8)
            ]
            codes = sorted(call.result() for call in calls)
        assert codes == [0] + [20016] * 7
        assert server.call("GetImages", alice, channel=channel)["totalcount"] == 1

    def test_quota_holds(self, server: Server, alice: Caller) -> None:
        channel = make_channel(server.folder, "small", alice, quota=3)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            calls = [
                pool.submit(server.code, "AddImage", alice, picture(60), channel=channel, identifier=f"n.{n}")
                for n in range(8)
            ]
            codes = sorted(call.result() for call in calls)
        assert codes == [0] * 3 + [20012] * 5


class TestAddAgainstRemove:
    def test_last_word_counts(self, server: Server, alice: Caller, channel: str) -> None:
        """Adds and removals of one identifier by two clients, while a third finds: afterwards the list, the
        picture's own answer and recognition agree."""
        added, removed = [], []

        def adding() -> None:
            for _ in range(12):
                added.append(server.code("AddImage", alice, picture(61), channel=channel, identifier="raced"))

        def removing() -> None:
            for _ in range(40):
                removed.append(server.code("RemoveImage", alice, channel=channel, identifier="raced"))

        def finding() -> list[dict]:
            return [server.call("FindImage", alice, photo_of(61), channel=channel) for _ in range(6)]

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            found = [pool.submit(task) for task in (adding, removing, finding)][-1].result()
        assert set(added) <= {0, 20016}
        assert set(removed) == {0}
        assert all(answer in ({"returncode": 0}, {"returncode": 0, "identifier": "raced"}) for answer in found)
        listed = server.call("GetImages", alice, channel=channel)["totalcount"]
        alone = server.code("GetImage", channel=channel, identifier="raced")
        answered = server.call("FindImage", alice, photo_of(61), channel=channel).get("identifier")
        assert (listed, alone, answered) in ((1, 0, "raced"), (0, 20014, None))

    def test_added_is_found_at_once(self, server: Server, alice: Caller, channel: str) -> None:
        """By each of four clients, in the call right after its own add."""

        def add_and_find(seed: int) -> bool:
            name = f"own.{seed}"
            assert server.code("AddImage", alice, picture(seed), channel=channel, identifier=name) == 0
            if server.call("FindImage", alice, photo_of(seed), channel=channel).get("identifier") != name:
                return False
            assert server.code("RemoveImage", alice, channel=channel, identifier=name) == 0
            return server.call("FindImage", alice, photo_of(seed), channel=channel) == {"returncode": 0}

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert all(pool.map(add_and_find, range(70, 74)))

    def test_every_match_is_counted(self, server: Server, alice: Caller, channel: str) -> None:
        """Once each, also when sixteen are answered together."""
        server.call("AddImage", alice, picture(62), channel=channel, identifier="counted")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            calls = [
                pool.submit(server.call, "FindImage", alice, photo_of(62), channel=channel, limit=3) for _ in range(16)
            ]
            hits = sum(call.result().get("identifier") == "counted" for call in calls)
        assert hits > 0
        records = server.call("Statistics", alice, channel=channel, startdate="2020", enddate="2100")["records"]
        assert sum(record["count"] for record in records) == hits
