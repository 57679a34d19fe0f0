"""Overview, channels, users, statistics, health, assets; and who sees what of them."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest

from api.console import charts, figures, texts
from api.console.errors import STATUSES, reason
from api.console.site import HEADERS
from api.console.texts import LANGUAGES, catalogue
from api.edge.refusals import nearest_row
from engine.recognise.reasons import Reason
from tests.support.console_pages import Visit
from tests.support.drawn_pictures import photo_of, picture
from tests.support.paths import ROOT
from tests.support.running_server import Caller, Server
from tests.support.service_commands import run_json

CONSOLE = ROOT / "api" / "console"


class TestOverview:
    @pytest.mark.usefixtures("shelf", "bens")
    def test_of_a_user(self, user: Visit) -> None:
        """Its own channels; nothing of the server."""
        page = user.get("/console")
        assert "matches today" in page.text
        assert "Memory of the process" not in page.text

    def test_of_the_operator(self, console: Server, operator: Visit, ann: Caller, shelf: str) -> None:
        console.call("FindImage", ann, photo_of(1), channel=shelf)
        page = operator.get("/console")
        for word in ("photos a second", "without a match", "p95", "describe", "Recognising and adding", "On disk"):
            assert word in page.text

    def test_live(self, operator: Visit) -> None:
        with operator.client.stream("GET", "/console/overview/live") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            line = next(line for line in answer.iter_lines() if line.startswith("data:"))
        told = json.loads(line.removeprefix("data:"))
        assert {"pictures", "answered", "a_second", "lane_engine"} <= set(told)

    def test_live_figures_stand_on_the_page(self, operator: Visit) -> None:
        """Each has its element, or nobody would see it change."""
        places = set(operator.get("/console").attributes("data-figure"))
        with operator.client.stream("GET", "/console/overview/live") as answer:
            line = next(line for line in answer.iter_lines() if line.startswith("data:"))
        assert set(json.loads(line.removeprefix("data:"))) <= places

    @pytest.mark.parametrize(
        ("buckets", "share", "value"),
        [
            ([], 0.5, 0.0),
            ([(1.0, 0.0), (float("inf"), 0.0)], 0.5, 0.0),
            ([(1.0, 10.0), (float("inf"), 10.0)], 0.5, 0.5),
            ([(1.0, 5.0), (3.0, 10.0), (float("inf"), 10.0)], 0.75, 2.0),
            ([(1.0, 0.0), (float("inf"), 4.0)], 0.5, 1.0),
        ],
    )
    def test_quantiles(self, buckets: list[tuple[float, float]], share: float, value: float) -> None:
        assert figures.quantile(buckets, share) == pytest.approx(value)


@pytest.mark.slow
def test_a_stop_ends_live_pages(tmp_path: Path) -> None:
    """A page that somebody watches does not hold the server up."""
    from tests.api.console.conftest import signed_in
    from tests.support.running_server import make_user, serving

    with serving(tmp_path / "data", log=tmp_path / "log") as server:
        visit = signed_in(server, **make_user(server.folder, "ann").fields)
        with visit.client.stream("GET", "/console/overview/live") as answer:
            lines = answer.iter_lines()
            next(lines)
            started = dt.datetime.now(dt.UTC)
            assert server.stop() == 0
            assert (dt.datetime.now(dt.UTC) - started).total_seconds() < 15


class TestChannels:
    def test_of_a_user(self, user: Visit, shelf: str, bens: str) -> None:
        page = user.get("/console/channels")
        assert shelf in page.text
        assert bens not in page.response.text
        assert [form for form in page.forms if form.action.endswith("/channels")] == []
        assert user.get("/console/channels/one", channel=bens).status == 404

    def test_of_the_operator(self, operator: Visit, shelf: str, bens: str) -> None:
        page = operator.get("/console/channels")
        assert shelf in page.text
        assert bens in page.text

    def test_adding(self, console: Server, operator: Visit, user: Visit, ann: Caller) -> None:
        form = operator.get("/console/channels").form("/channels")
        assert operator.submit(form, channel="made.here", user="ann", quota="5").status == 200
        assert "made.here" in user.get("/console/channels").text
        assert console.code("AddImage", ann, picture(1), channel="made.here", identifier="one.1") == 0
        assert operator.submit(form, channel="made.here", user="ann", quota="").status == 400
        for wrong in ({"channel": "a b"}, {"channel": ""}, {"channel": "x", "user": "nobody"}, {"quota": "-1"}):
            assert operator.submit(form, **{"channel": "y", "user": "ann", **wrong}).status == 400

    def test_quota(self, operator: Visit, user: Visit, box: str) -> None:
        form = operator.get("/console/channels/one", channel=box).form("/quota")
        assert operator.submit(form, quota="7").form("/quota").fields["quota"] == "7"
        assert operator.submit(form, quota="").form("/quota").fields["quota"] == ""
        assert operator.submit(form, quota="many").status == 400
        assert user.post("/console/channels/quota", {"csrf": user.token, "channel": box}).status == 403

    def test_clients_of_the_dialects(self, console: Server, user: Visit, operator: Visit, box: str, bens: str) -> None:
        """Apps and databases with the keys that name them, of one's own channels; no secret is on the page."""
        data = ("--data", str(console.folder))
        mine, theirs = (
            run_json(kind, "add", channel, "--user", name, *data)
            for kind, channel, name in (("database", box, "ann"), ("database", bens, "ben"))
        )
        app = run_json("app", "add", box, "--user", "ann", *data)
        page = user.get("/console/channels")
        for key in (mine["server"]["access_key"], mine["client"]["access_key"], app["appId"], app["apiKey"]):
            assert key in page.text
        assert theirs["server"]["access_key"] not in page.text
        assert theirs["server"]["access_key"] in operator.get("/console/channels").text
        secrets = (mine["server"]["secret_key"], mine["client"]["secret_key"], app["apiSecret"])
        assert not any(secret in page.response.text for secret in secrets)

    @pytest.mark.parametrize("name", ["", "..", "none", "../etc", "'", "\u00e9"])
    def test_no_such(self, user: Visit, name: str) -> None:
        assert user.get("/console/channels/one", channel=name).status == 404


class TestUsers:
    def test_whole_life(self, console: Server, operator: Visit) -> None:
        """Made, used, given new secrets, switched off and on; secrets are shown once."""
        page = operator.submit(operator.get("/console/users").form("/users"), name="eve")
        username, secret, *_ = re.findall(r'class="key">(\w+)<', page.response.text)
        keys = {"username": username, "secretkey": secret}
        assert console.code("Statistics", **keys, startdate="2026", enddate="2026") == 0
        listed = operator.get("/console/users")
        assert username in listed.text
        assert secret not in listed.response.text
        page = operator.submit(listed.form("/users/rotate", name="eve"))
        assert console.code("Statistics", **keys, startdate="2026", enddate="2026") == 20001
        keys["secretkey"] = re.findall(r'class="key">(\w+)<', page.response.text)[1]
        assert console.code("Statistics", **keys, startdate="2026", enddate="2026") == 0
        for disabled, code in (("on", 20001), ("off", 0)):
            form = operator.get("/console/users").form("/users/switch", name="eve")
            assert form.buttons == [("disabled", disabled)]
            operator.submit(form, disabled=disabled)
            assert console.code("Statistics", **keys, startdate="2026", enddate="2026") == code
        assert operator.submit(operator.get("/console/users").form("/users"), name="eve").status == 400

    def test_of_a_user(self, user: Visit, ann: Caller, ben: Caller) -> None:
        page = user.get("/console/users")
        assert ann.full.username in page.text
        assert ben.full.username not in page.text
        assert [form.action for form in page.forms if "/users" in form.action] == ["/console/users/rotate"]
        for path, fields in (("", {"name": "x"}), ("/rotate", {"name": "ben"}), ("/switch", {"name": "ben"})):
            assert user.post(f"/console/users{path}", {"csrf": user.token, **fields}).status == 403


class TestStatistics:
    def test_page_and_csv(self, console: Server, user: Visit, other: Visit, ann: Caller, box: str) -> None:
        for seed in (1, 2):
            console.call("AddImage", ann, picture(seed), channel=box, identifier=f"seed.{seed}")
        for seed in (1, 1, 2):
            assert console.call("FindImage", ann, photo_of(seed), channel=box)["identifier"]
        page = user.get("/console/statistics", channel=box)
        assert "Matches: 3" in page.text
        assert "rect" in [tag for tag, _ in page.elements]
        link = next(link for link in page.attributes("href") if ".csv" in link)
        rows = list(csv.DictReader(io.StringIO(user.client.get(link).text)))
        assert [(row["channel"], row["identifier"], row["matches"]) for row in rows] == [
            (box, "seed.1", "2"),
            (box, "seed.2", "1"),
        ]
        assert "Matches: 1" in user.get("/console/statistics", channel=box, identifier="seed.2").text
        assert "Matches: 0" in other.get("/console/statistics", channel=box).text
        assert box not in other.client.get("/console/statistics.csv").text

    @pytest.mark.parametrize(
        "query",
        [
            {"from": "x"},
            {"from": "2026-02-30"},
            {"from": "2026-02-01", "to": "2026-01-01"},
            {"from": "0001-01-01"},
            {"identifier": "'"},
            {"channel": "a b"},
        ],
    )
    def test_bad_queries(self, user: Visit, query: dict[str, str]) -> None:
        for path in ("/console/statistics", "/console/statistics.csv"):
            assert user.get(path, **query).status == 400

    def test_bars(self) -> None:
        """One for each day with matches, none for none; longer times are drawn by several days."""
        first = dt.date(2026, 1, 1)
        assert charts.bars({}, first, first).count("<rect") == 0
        days = {first + dt.timedelta(days=n): n for n in range(5)}
        assert charts.bars(days, first, first + dt.timedelta(days=29)).count("<rect") == 4
        year = {first + dt.timedelta(days=n): 1 for n in range(365)}
        assert charts.bars(year, first, first + dt.timedelta(days=364)).count("<rect") <= charts.MOST_BARS


class TestHealth:
    @pytest.mark.usefixtures("shelf")
    def test_page(self, console: Server, operator: Visit) -> None:
        page = operator.get("/console/health")
        for word in ("litestar", "max_image_bytes", "400000", "not the default", "one.1"):
            assert word in page.text
        token = json.loads((console.folder / "server.json").read_text())["token"]
        assert token not in page.response.text

    def test_is_the_operators(self, user: Visit, reader: Visit) -> None:
        for visit in (user, reader):
            page = visit.get("/console/health")
            assert page.status == 403
            assert "Only the operator" in page.text

    def test_changes(self, operator: Visit, box: str) -> None:
        operator.submit(operator.get("/console/channels/one", channel=box).form("/quota"), quota="3")
        assert "set the quota" in operator.get("/console/health").text


class TestEveryAnswer:
    @pytest.mark.parametrize(
        "path", ["/console", "/console/sign-in", "/console/none", "/try", "/console/assets/console.css"]
    )
    def test_headers(self, user: Visit, path: str) -> None:
        answer = user.client.get(path)
        for name in HEADERS:
            assert name in answer.headers
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-request-id"]

    @pytest.mark.parametrize("path", sorted(path.name for path in (CONSOLE / "templates").glob("*.html")))
    def test_templates_hold_no_script_or_style(self, path: str) -> None:
        """The policy would stop them; and nothing of another host."""
        text = (CONSOLE / "templates" / path).read_text()
        assert not re.search(r"<script(?! src=| type=\"module\" src=)|\son\w+=|\sstyle=|<style|https?://", text)


class TestAssets:
    def test_htmx_is_what_was_released(self) -> None:
        """The file of the release, with its licence beside it; docs/console.md names both."""
        digest = hashlib.sha256((CONSOLE / "assets" / "htmx.min.js").read_bytes()).hexdigest()
        docs = (ROOT / "docs" / "console.md").read_text()
        assert digest in docs
        assert "Zero-Clause BSD" in (CONSOLE / "assets" / "htmx.LICENSE.txt").read_text()

    @pytest.mark.parametrize(
        "name", ["../site.py", "..%2fsite.py", "%2e%2e/site.py", "htmx.LICENSE.txt", "none.js", "a%00b"]
    )
    def test_nothing_else_is_served(self, stranger: Visit, name: str) -> None:
        assert stranger.get(f"/console/assets/{name}").status == 404


class TestTexts:
    def test_languages_have_the_same_keys(self) -> None:
        first, *rest = (catalogue(language) for language in LANGUAGES)
        for other in rest:
            assert set(other) == set(first)

    @pytest.mark.parametrize("key", sorted(catalogue("en")))
    def test_texts_have_the_same_values_and_say_something(self, key: str) -> None:
        filled = [
            {name for _, name, _, _ in string.Formatter().parse(catalogue(language)[key]) if name}
            for language in LANGUAGES
        ]
        assert all(one == filled[0] for one in filled)
        assert all(catalogue(language)[key].strip() for language in LANGUAGES)

    def test_every_text_is_used(self) -> None:
        files = [*(CONSOLE / "templates").glob("*.html"), *CONSOLE.glob("*.py")]
        source = "\n".join(path.read_text() for path in files)
        made = (
            "because.",
            "reason.",
            "change.",
            "advice.",
            "figure.",
            "add.",
            "pictures.",
            "misses.",
            "health.kind_",
            "overview.lane_",
        )
        unused = [
            key
            for key in catalogue("en")
            if f'"{key}"' not in source and not key.startswith((*made, "overview.lane_", "nav.", "sign_in.wrong_"))
        ]
        assert unused == []

    def test_every_reason_has_a_text(self) -> None:
        assert {f"because.{kind}" for kind in Reason} == {key for key in catalogue("en") if key.startswith("because.")}

    def test_every_change_has_a_text(self) -> None:
        source = "\n".join(path.read_text() for path in CONSOLE.glob("*.py"))
        told = set(re.findall(r'console\.done\(visitor, "(\w+)"', source))
        told |= {f"pictures_{action}" for action in ("remove", "on", "off", "threshold")}
        told |= {"channel_opened", "channel_closed", "user_disabled", "user_enabled"}
        assert {f"change.{name}" for name in told} == {key for key in catalogue("en") if key.startswith("change.")}

    @pytest.mark.parametrize(
        ("cookie", "accepted", "language"),
        [
            (None, "", "en"),
            (None, "zh-CN,zh;q=0.9", "zh"),
            (None, "fr,zh;q=0.8", "zh"),
            (None, "fr", "en"),
            ("zh", "en", "zh"),
            ("../x", "en", "en"),
        ],
    )
    def test_choice(self, cookie: str | None, accepted: str, language: str) -> None:
        assert texts.chosen(cookie, accepted) == language


class TestErrors:
    def test_every_error_has_a_status_and_words(self) -> None:
        from api.console.visitors import NotAllowed
        from engine import errors
        from engine.errors import ObverseError

        found = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, ObverseError)]
        assert all(100 <= nearest_row(STATUSES, kind.__new__(kind)) < 600 for kind in found)
        for language in LANGUAGES:
            for why in ("readonly", "operator", "csrf"):
                assert reason(texts.Words(language), NotAllowed(why)) == catalogue(language)[f"reason.NotAllowed_{why}"]


def test_costs_nothing_before_it_is_asked_for() -> None:
    """A server that starts has imported neither the pages nor what they need."""
    code = (
        "import sys; import api.server\n"
        "print(sorted(n for n in sys.modules if n.startswith(('jinja2', 'segno', 'api.console.'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "['api.console.mount']"
