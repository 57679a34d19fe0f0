"""The console in a real browser: the main path, by mouse, by keyboard, by camera, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.console.conftest import PASSWORD
from tests.support import service_commands
from tests.support.browser import MISSING, chromium, film_of, watched_page
from tests.support.console_pages import Visit
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.paths import ROOT
from tests.support.running_server import Caller, Server, make_channel, make_user

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]
FILMED = 3
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
PAGES = ("", "/channels", "/channels/one?channel=shelf", "/pictures?channel=shelf", "/pictures?channel=shelf&view=list",
         "/add?channel=shelf", "/try", "/statistics", "/misses", "/users", "/health")  # fmt: skip
ANSWERED = """before =>
    Number(document.querySelector("[data-figure=answered]").textContent.replace("\\u202f", "")) > before"""
UNNAMED = """() =>
    [...document.querySelectorAll("main input:not([type=hidden]), main select, main textarea, button")]
        .filter(e => !e.labels?.length && !e.getAttribute("aria-label") && !e.textContent.trim())
        .map(e => e.outerHTML)"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(film_of(FILMED, tmp_path_factory.mktemp("film") / "poster.y4m")) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, console: Server) -> Iterator[Page]:
    with watched_page(browser, console.base, viewport=DESK) as opened:
        yield opened


def sign_in(page: Page, **fields: str) -> None:
    page.goto("/console")
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)
    page.press(f"[name={list(fields)[-1]}]", "Enter")
    page.wait_for_url(re.compile(r"/console/?$"))


def jpeg(name: str, content: bytes) -> Any:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


class TestMainPath:
    def test_add_find_remove(self, page: Page, ann: Caller, box: str) -> None:
        """Signs in, drops files, sees a line for each, finds one by its photo, removes it."""
        sign_in(page, **ann.fields)
        page.goto(f"/console/add?channel={box}")
        page.set_input_files("input[type=file]", [jpeg("first.jpg", picture(11)), jpeg("plain.jpg", flat())])
        page.click("form[data-add] button.main")
        page.wait_for_selector(".lines li.added")
        page.wait_for_selector(".lines li.refused")
        assert page.locator(".lines li.waiting").count() == 0
        page.goto(f"/console/try?channel={box}")
        page.set_input_files("input[type=file]", jpeg("photo.jpg", photo_of(11)))
        page.wait_for_selector('[data-identifier="first"]')
        assert page.locator("svg.photo polygon").is_visible()
        page.goto(f"/console/pictures?channel={box}")
        remove = page.locator("button[value=remove]")
        assert remove.is_disabled()
        page.check("[data-all] input")
        remove.click()
        page.click("button.danger.main")
        page.wait_for_url(re.compile("/console/pictures"))
        assert page.locator(".tile").count() == 0

    def test_dropping(self, page: Page, ann: Caller, box: str) -> None:
        """Files that are dropped on the page are those of the form."""
        sign_in(page, **ann.fields)
        page.goto(f"/console/add?channel={box}")
        page.evaluate(
            """async ([bytes, name]) => {
                const file = new File([new Uint8Array(bytes)], name, { type: "image/jpeg" });
                const data = new DataTransfer();
                data.items.add(file);
                const place = document.querySelector("[data-drop]");
                place.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
            }""",
            [list(picture(12)), "dropped.jpg"],
        )
        page.click("form[data-add] button.main")
        page.wait_for_selector(".lines li.added")
        assert "dropped" in page.inner_text(".lines")

    def test_pasting(self, page: Page, ann: Caller, shelf: str) -> None:
        sign_in(page, **ann.fields)
        page.goto(f"/console/try?channel={shelf}")
        page.evaluate(
            """bytes => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], "pasted.jpg", { type: "image/jpeg" }));
                document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
            }""",
            list(photo_of(2)),
        )
        page.wait_for_selector('[data-identifier="two.2"]')

    def test_searching_while_typing(self, page: Page, ann: Caller, shelf: str) -> None:
        """htmx puts the found part into the page; the address follows, and picking works in the new part."""
        sign_in(page, **ann.fields)
        page.goto(f"/console/pictures?channel={shelf}")
        page.type("#search", "two")
        page.wait_for_url(re.compile("search=two"))
        page.wait_for_load_state("networkidle")  # every letter asks; the last answer is what stays
        page.wait_for_function("() => document.querySelectorAll('.tile').length === 1")
        page.check(".tile input[type=checkbox]")
        page.wait_for_selector("button[value=off]:enabled")
        page.wait_for_timeout(600)  # leaving the field asks nothing anew, which would put an unpicked page in its place
        assert page.is_checked(".tile input[type=checkbox]")
        page.select_option("select[name=state]", "off")
        page.wait_for_url(re.compile("state=off"))

    def test_the_slider_of_a_threshold(self, page: Page, ann: Caller, shelf: str) -> None:
        """It and the field follow each other, and the sentence tells what was measured there."""
        sign_in(page, **ann.fields)
        page.goto(f"/console/pictures?channel={shelf}")
        page.click(".tile .name")
        slider, told = page.locator("[data-forecast] input[type=range]"), page.locator("[data-told]")
        page.fill("[name=threshold]", "99")
        assert slider.input_value() == "99"
        high = told.text_content() or ""
        assert high.startswith("At 99:")
        assert "[" not in high
        slider.fill("60")
        assert page.input_value("[name=threshold]") == "60"
        assert told.text_content() != high
        page.fill("[name=threshold]", "")
        assert float(slider.input_value()) == pytest.approx(85, abs=0.5)

    def test_live_figures(self, page: Page, console: Server, ann: Caller, shelf: str) -> None:
        sign_in(page, password=PASSWORD)
        page.wait_for_selector("[data-live]:visible")
        before = int(page.inner_text("[data-figure=answered]").replace("\u202f", ""))
        console.call("FindImage", ann, photo_of(1), channel=shelf)
        page.wait_for_function(ANSWERED, arg=before)

    def test_rotating_a_key(self, page: Page, console: Server) -> None:
        made = service_commands.run_json("user", "add", "zoe", "--data", str(console.folder))
        sign_in(page, username=made["username"], secretkey=made["secretkey"])
        page.goto("/console/users")
        page.click("form[action$=rotate] button")
        secret = page.locator("code.key").nth(1).inner_text()
        assert len(secret) == 64
        assert secret != made["secretkey"]
        page.click("a.button")
        page.wait_for_url(re.compile("/console/users"))


class TestCamera:
    def test_console(self, page: Page, ann: Caller, shelf: str) -> None:
        """The film of a poster is recognised while it plays, with an outline on it."""
        sign_in(page, **ann.fields)
        page.goto(f"/console/try?channel={shelf}")
        page.click("[data-camera]")
        page.wait_for_selector('[data-verdict][data-identifier="three.3"]')
        page.wait_for_function("() => Number(document.querySelector('[data-pace]').dataset.rate) > 0")
        corners = page.get_attribute(".overlay polygon", "points") or ""
        assert len(corners.split()) == 4
        page.click("[data-camera]")
        assert page.locator("[data-stage]").is_hidden()

    def test_for_everybody(self, browser: Browser, console: Server, shelf: str) -> None:
        service_commands.run("channel", "try", shelf, "--on", "--data", str(console.folder))
        with watched_page(browser, console.base, viewport=PHONE, has_touch=True, is_mobile=True) as page:
            page.goto(f"/try/{shelf}")
            page.click("[data-camera]")
            page.wait_for_selector('[data-verdict][data-identifier="three.3"]')
        service_commands.run("channel", "try", shelf, "--off", "--data", str(console.folder))

    def test_the_client_in_a_page_of_ones_own(self, page: Page, ann: Caller, shelf: str) -> None:
        """obverse.js against the dialect's own path."""
        sign_in(page, **ann.fields)
        given = {**ann.reading.fields, "channel": shelf}
        found = page.evaluate(
            """async ([given, bytes]) => {
                const { Obverse } = await import("/console/assets/obverse.js");
                return new Obverse(given).find(new Blob([new Uint8Array(bytes)]));
            }""",
            [given, list(photo_of(1))],
        )
        assert (found["identifier"], len(found["quad"])) == ("one.1", 4)
        refused = page.evaluate(
            """async bytes => {
                const { Obverse } = await import("/console/assets/obverse.js");
                try { await new Obverse({ username: "x", secretkey: "y", channel: "z" }).find(new Blob([])); }
                catch (error) { return error.message; }
            }""",
            [],
        )
        assert refused


class TestKeyboard:
    def test_main_path(self, page: Page, ann: Caller, shelf: str) -> None:
        """Tab and Enter alone: to a picture and back; the first stop skips to the page."""
        sign_in(page, **ann.fields)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        self.to(page, "a[href$='/console/pictures']")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/console/pictures"))
        page.goto(f"/console/pictures?channel={shelf}")
        self.to(page, ".tile .name")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/console/pictures/[0-9a-f-]{36}"))
        self.to(page, "#points")
        page.keyboard.press("Space")
        assert page.locator(".keypoints circle").first.is_visible()

    def to(self, page: Page, selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none"
                return
        raise AssertionError(f"Tab does not lead to {selector}")


class TestSizes:
    @pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("language", ["en", "zh-CN"])
    def test_every_page(
        self, browser: Browser, console: Server, shelf: str, size: dict[str, int], scheme: str, language: str
    ) -> None:
        """Nothing is wider than the screen, and every field has a name for who does not see it."""
        assert shelf == "shelf"
        with watched_page(browser, console.base, viewport=size, color_scheme=scheme, locale=language) as page:
            sign_in(page, password=PASSWORD)
            for path in PAGES:
                page.goto(f"/console{path}")
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wide <= 0, path
                unnamed = page.evaluate(UNNAMED)
                assert unnamed == [], path


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_long_names(browser: Browser, console: Server, operator: Visit, shelf: str, size: dict[str, int]) -> None:
    """The longest channel, user, identifier and change that there can be make no page wider than the screen."""
    assert shelf == "shelf"
    width = size["width"]
    owner = make_user(console.folder, f"{'W' * 60}{width}")
    name = make_channel(console.folder, f"{'w' * 60}{width}", owner)
    identifier = "M" * 50
    assert console.code("AddImage", owner, picture(width), channel=name, identifier=identifier) == 0
    assert console.call("FindImage", owner, photo_of(width), channel=name)["identifier"] == identifier
    quota = {"csrf": operator.token, "channel": name, "quota": "5"}
    assert operator.post("/console/channels/quota", quota).status == 200
    with watched_page(browser, console.base, viewport=size) as page:
        sign_in(page, password=PASSWORD)
        too_wide = {}
        own = (f"/channels/one?channel={name}", f"/pictures?channel={name}", f"/statistics?channel={name}")
        for path in (*PAGES, *own):
            page.goto(f"/console{path}")
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                too_wide[path] = wide
        assert too_wide == {}, str(too_wide)


def test_without_scripts(browser: Browser, console: Server, ann: Caller, box: str) -> None:
    """The same main path by forms alone."""
    with watched_page(browser, console.base, java_script_enabled=False, viewport=DESK) as page:
        sign_in(page, **ann.fields)
        page.goto(f"/console/add?channel={box}")
        page.set_input_files("input[type=file]", [jpeg("first.jpg", picture(13)), jpeg("second.jpg", picture(14))])
        page.click("form[data-add] button.main")
        assert page.locator(".lines li.added").count() == 2
        page.goto(f"/console/try?channel={box}")
        assert page.locator("[data-camera]").is_hidden()
        page.set_input_files("input[type=file]", jpeg("photo.jpg", photo_of(14)))
        page.click("form[data-try] button.main")
        assert page.locator('[data-identifier="second"]').count() == 1
        page.goto(f"/console/pictures?channel={box}&search=sec")
        page.check(".tile input")
        page.click("button[value=off]")
        page.goto(f"/console/pictures?channel={box}&state=off")
        assert page.locator(".tile").count() == 1


class TestAccessibility:
    SERIOUS = """async () => {
        const found = await axe.run(document, { resultTypes: ["violations"] });
        return found.violations.filter(v => ["serious", "critical"].includes(v.impact))
            .map(v => `${v.id}: ${v.nodes.map(n => n.html).slice(0, 3).join(" | ")}`);
    }"""

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_no_serious_finding(self, browser: Browser, console: Server, shelf: str, scheme: str) -> None:
        """Of axe-core, on every page, an answer and a refusal among them."""
        axe = (ROOT / "tests" / "data" / "axe" / "axe.min.js").read_text("utf-8")
        with watched_page(browser, console.base, viewport=DESK, color_scheme=scheme) as page:
            page.goto("/console/sign-in")
            page.evaluate(axe)
            assert page.evaluate(self.SERIOUS) == []
            sign_in(page, password=PASSWORD)
            for path in PAGES:
                page.goto(f"/console{path}")
                page.evaluate(axe)
                assert page.evaluate(self.SERIOUS) == [], path
            page.goto(f"/console/pictures?channel={shelf}")
            page.click(".tile .name >> nth=0")
            page.wait_for_selector(".keypoints", state="attached")
            page.evaluate(axe)
            assert page.evaluate(self.SERIOUS) == [], "a picture"
            page.goto(f"/console/try?channel={shelf}")
            page.set_input_files("input[type=file]", jpeg("photo.jpg", photo_of(1)))
            page.wait_for_selector("#answer")
            page.evaluate(axe)
            assert page.evaluate(self.SERIOUS) == [], "an answer"
