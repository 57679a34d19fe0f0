"""Who gets in, how long, and what a form must carry."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from api.accounts.operator import OperatorPassword
from api.accounts.store import Accounts
from engine.catalogue import Catalogue
from tests.api.console.conftest import PASSWORD, signed_in
from tests.support.console_pages import Visit
from tests.support.drawn_pictures import picture
from tests.support.running_server import Caller, Server, make_user, serving

PAGES = ["", "/channels", "/pictures", "/add", "/try", "/statistics", "/statistics.csv", "/users", "/health"]


class TestSigningIn:
    @pytest.mark.parametrize("page", PAGES)
    def test_every_page_wants_it(self, stranger: Visit, page: str) -> None:
        found = stranger.get(f"/console{page}")
        assert found.path == "/console/sign-in"
        assert {"username", "secretkey"} in [form.names - {"next"} for form in found.forms]

    def test_wrong(self, stranger: Visit, ann: Caller) -> None:
        for given in (
            {"username": ann.full.username, "secretkey": "wrong"},
            {"username": "nobody", "secretkey": ann.full.secretkey},
            {"username": ann.full.username, "secretkey": ann.readonly.secretkey},
            {"username": "", "secretkey": ""},
            {"password": "wrong"},
            {"password": ""},
        ):
            page = stranger.sign_in(**given)
            assert page.status == 403
            assert not stranger.client.cookies
            if len(given) == 2:
                break  # the attempts of one network are limited: TestAttempts has the rest
        assert "do not fit" in page.text

    def test_cookie(self, console: Server, ann: Caller) -> None:
        visit = Visit(console.base)
        answer = visit.client.post("/console/sign-in", data=ann.fields, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie
        assert ann.full.secretkey not in answer.headers["set-cookie"]

    def test_cookie_behind_tls(self, console: Server, ann: Caller) -> None:
        """A proxy on this machine tells that the browser came by https."""
        visit = Visit(console.base)
        headers = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1"}
        answer = visit.client.post("/console/sign-in", data=ann.fields, headers=headers, follow_redirects=False)
        assert "secure" in answer.headers["set-cookie"].lower()

    @pytest.mark.parametrize(
        "wanted", ["https://evil.example/", "//evil.example", "/console/../x", "/\\evil", "/FindImage"]
    )
    def test_leads_nowhere_else(self, console: Server, ann: Caller, wanted: str) -> None:
        given = {**ann.fields, "next": wanted}
        answer = Visit(console.base).client.post("/console/sign-in", data=given, follow_redirects=False)
        assert answer.headers["location"] == "/console"

    def test_leads_where_one_wanted_to_go(self, console: Server, ann: Caller) -> None:
        visit = Visit(console.base)
        form = visit.get("/console/statistics").form("/sign-in")
        assert visit.submit(form, **ann.fields).path == "/console/statistics"

    def test_signing_out(self, console: Server, ann: Caller) -> None:
        visit = signed_in(console, **ann.fields)
        kept = dict(visit.client.cookies)
        page = visit.submit(visit.get("/console").form("/sign-out"))
        assert page.path == "/console/sign-in"
        visit.client.cookies.update(kept)
        assert visit.get("/console").path == "/console/sign-in"

    @pytest.mark.parametrize("cookie", ["", "x", "\u00e9", "a" * 4000])
    def test_made_up_cookies(self, console: Server, cookie: str) -> None:
        headers = {"cookie": f"obverse_session={cookie}".encode()}
        answer = Visit(console.base).client.get("/console", headers=headers)
        assert answer.url.path == "/console/sign-in"

    def test_unchanged_root(self, stranger: Visit) -> None:
        """The address alone says what runs here and leads to the console."""
        page = stranger.get("/")
        assert "console" in page.attributes("href")


class TestEnds:
    def test_by_a_new_secret(self, console: Server) -> None:
        """Of others' sessions at once; who rotates its own keys in the console stays."""
        caller = make_user(console.folder, "rotated")
        elsewhere, reading = signed_in(console, **caller.fields), signed_in(console, **caller.reading.fields)
        here = signed_in(console, **caller.fields)
        page = here.submit(here.get("/console/users").form("/users/rotate"))
        assert page.text.count("secretkey") == 2
        assert caller.full.secretkey not in page.response.text
        assert page.response.headers["cache-control"] == "no-store"
        assert here.get("/console").path == "/console"
        for gone in (elsewhere, reading):
            assert gone.get("/console").path == "/console/sign-in"

    def test_by_being_switched_off(self, console: Server) -> None:
        caller = make_user(console.folder, "switched")
        visit = signed_in(console, **caller.fields)
        with contextlib.closing(Catalogue(console.folder)) as catalogue:
            Accounts(catalogue.database).set_disabled("switched", disabled=True)
        assert visit.get("/console").path == "/console/sign-in"

    @pytest.mark.slow
    def test_by_another_password(self, tmp_path: Path) -> None:
        with serving(tmp_path / "data", log=tmp_path / "log") as server:
            stranger = Visit(server.base)
            assert "obverse console password" in stranger.get("/console/sign-in").text
            assert not any("password" in form.names for form in stranger.get("/console/sign-in").forms)
            assert stranger.post("/console/sign-in", {"password": ""}).status == 403
            with contextlib.closing(Catalogue(server.folder)) as catalogue:
                operators = OperatorPassword(catalogue)
                operators.set(PASSWORD)
                visit = signed_in(server, password=PASSWORD)
                operators.set(PASSWORD + "!")
                assert visit.get("/console").path == "/console/sign-in"
                assert stranger.sign_in(password=PASSWORD).status == 403
                visit = signed_in(server, password=PASSWORD + "!")
                operators.remove()
                assert visit.get("/console").path == "/console/sign-in"


class TestAttempts:
    def test_are_limited(self, console: Server, ann: Caller) -> None:
        """Of one network; the right secret does not help then, and another network is not held up."""
        visit, from_here = Visit(console.base), {"x-forwarded-for": "198.51.100.7"}
        codes = [
            visit.client.post("/console/sign-in", data={"password": f"guess {n}"}, headers=from_here).status_code
            for n in range(12)
        ]
        assert codes == [403] * 10 + [429] * 2
        late = visit.client.post("/console/sign-in", data=ann.fields, headers=from_here)
        assert late.status_code == 429
        assert int(late.headers["retry-after"]) > 60
        elsewhere = {"x-forwarded-for": "203.0.113.9"}
        assert visit.client.post("/console/sign-in", data=ann.fields, headers=elsewhere).status_code == 200


CHANGES = [
    ("/console/channels", {"channel": "made"}),
    ("/console/channels/quota", {"channel": "shelf", "quota": "1"}),
    ("/console/channels/try", {"channel": "shelf", "open": "on"}),
    ("/console/users", {"name": "made"}),
    ("/console/users/rotate", {"name": "ann"}),
    ("/console/users/switch", {"name": "ann", "disabled": "on"}),
    ("/console/pictures/many", {"channel": "shelf", "action": "off"}),
    ("/console/pictures/{uuid}", {"threshold": "1"}),
    ("/console/sign-out", {}),
    ("/console/try", {"channel": "shelf"}),
    ("/console/try/frame", {"channel": "shelf"}),
    ("/console/add", {"channel": "shelf"}),
    ("/console/misses/add", {"miss": "1", "channel": "shelf"}),
    ("/console/misses/remove", {"miss": "1"}),
]
WITH_FILE = ("/console/try", "/console/try/frame", "/console/add")


class TestTokens:
    @pytest.mark.parametrize(("path", "fields"), CHANGES)
    @pytest.mark.parametrize("token", [None, "", "wrong"])
    def test_a_change_without_one_is_refused(
        self, operator: Visit, shelf: str, path: str, fields: dict[str, str], token: str | None
    ) -> None:
        uuid = first_of(operator, shelf)
        files = [("photo.jpg", picture(1))] if path in WITH_FILE else []
        sent = fields if token is None else {"csrf": token, **fields}
        answer = operator.post(path.replace("{uuid}", uuid), sent, files)
        assert answer.status == 403, answer.text
        assert "session" in answer.text

    def test_of_another_session(self, operator: Visit, user: Visit) -> None:
        answer = operator.post("/console/sign-out", {"csrf": user.token})
        assert answer.status == 403
        assert operator.get("/console").path == "/console"

    @pytest.mark.parametrize(("path", "fields"), CHANGES)
    def test_nobody_changes_anything(self, stranger: Visit, path: str, fields: dict[str, str]) -> None:
        files = [("photo.jpg", picture(1))] if path in WITH_FILE else []
        answer = stranger.post(path.replace("{uuid}", "x"), {"csrf": "", **fields}, files)
        assert answer.path == "/console/sign-in"

    def test_another_sites_forms(self, console: Server, ann: Caller) -> None:
        """Not even to sign in: the browser says where they come from."""
        headers = {"sec-fetch-site": "cross-site"}
        answer = Visit(console.base).client.post("/console/sign-in", data=ann.fields, headers=headers)
        assert answer.status_code == 403

    def test_all_of_them_are_here(self) -> None:
        """A new page that changes something is in CHANGES."""
        from api.console import adding, channels, misses, picture, pictures, sign_in, trying, users

        modules = (adding, channels, misses, picture, pictures, sign_in, trying, users)
        handlers = [handler for module in modules for handler in module.HANDLERS]
        paths = {
            f"/console{path}".replace("{uuid:str}", "{uuid}")
            for handler in handlers
            if "POST" in handler.http_methods
            for path in handler.paths
        }
        assert paths - {"/console/sign-in", "/console/language"} == {path for path, _ in CHANGES}


def first_of(visit: Visit, channel: str) -> str:
    """The UUID of the channel's first picture."""
    links = visit.get("/console/pictures", channel=channel).attributes("href")
    return next(link for link in links if link.startswith("/console/pictures/")).rsplit("/", 1)[1]


class TestReadOnly:
    @pytest.mark.parametrize(("path", "fields"), [change for change in CHANGES if change[0] not in WITH_FILE[:2]])
    def test_changes_are_refused(self, reader: Visit, shelf: str, path: str, fields: dict[str, str]) -> None:
        if path == "/console/sign-out":
            return
        files = [("photo.jpg", picture(1))] if path in WITH_FILE else []
        path = path.replace("{uuid}", first_of(reader, shelf))
        answer = reader.post(path, {"csrf": reader.token, **fields}, files)
        assert answer.status == 403
        assert "only reads" in answer.text

    def test_sees_and_tries(self, reader: Visit, shelf: str) -> None:
        for page in ("", "/channels", f"/channels/one?channel={shelf}", f"/pictures?channel={shelf}", "/try", "/users"):
            found = reader.get(f"/console{page}")
            assert found.status == 200
            assert {form.action.split("#")[0] for form in found.forms if form.method == "post"} <= {
                "/console/language",
                "/console/sign-out",
                "/console/try",
                "/console/pictures/many",  # without a button
            }
        assert not reader.get(f"/console/pictures?channel={shelf}").form("/many").buttons
        assert reader.get("/console/add").status == 403


class TestLanguages:
    def test_by_the_browser_and_by_choice(self, console: Server) -> None:
        visit = Visit(console.base)
        page = visit.client.get("/console/sign-in", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"})
        assert 'lang="zh-Hans"' in page.text
        assert "登录" in page.text
        assert "Sign in" in visit.get("/console/sign-in").text
        form = visit.get("/console/sign-in").form("/language")
        assert form.buttons == [("language", "zh")]
        assert "登录" in visit.submit(form, language="zh").text
        assert "登录" in visit.get("/console/sign-in").text
        assert visit.post("/console/language", {"language": "xx", "next": "/console/sign-in"}).status == 200


@pytest.mark.slow
def test_switched_off(tmp_path: Path) -> None:
    """There are no such pages, and nothing leads there."""
    with serving(tmp_path / "data", log=tmp_path / "log", console=False) as server:
        visit = Visit(server.base)
        for path in ("/console", "/console/sign-in", "/try", "/console/assets/console.css"):
            assert visit.get(path).status == 404
        assert "console" not in visit.get("/").response.text
