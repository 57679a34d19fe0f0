"""A real browser for tests of pages: Debian's Chromium, driven by Playwright. Its camera plays a drawn film."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from tests.support.drawn import poster

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = None if CHROMIUM and importlib.util.find_spec("playwright") else "no chromium, or no playwright, is installed"
FILM_SIZE = (640, 480)


def film_of(seed: int, path: Path, *, frames: int = 40) -> Path:
    """YUV4MPEG2 of the poster, held before a grey wall and moved a little."""
    width, height = FILM_SIZE
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420\n".encode())
        for n in range(frames):
            turn = 2 * np.pi * n / frames
            moved = np.array([[0.75, 0.05, 190 + 12 * np.cos(turn)], [-0.04, 0.78, 50 + 8 * np.sin(turn)], [0, 0, 1]])
            seen = cv2.warpPerspective(poster(seed), moved, FILM_SIZE, borderValue=(110, 110, 110))
            file.write(b"FRAME\n" + cv2.cvtColor(seen, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


@contextlib.contextmanager
def chromium(film: Path) -> Iterator[Browser]:
    """One browser. Playwright keeps an event loop in the thread that uses it: outside of the block there is none, so
    that other tests of the process may run theirs."""
    from playwright.sync_api import sync_playwright

    arguments = [
        "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}",
    ]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """What a browser's pages did that they should not: other hosts, errors, breaches of the policy."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.wrong: list[str] = []
        self._host = urlsplit(base).netloc
        context.on("request", self._asked)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrong.append(f"error: {error.error}"))

    def _asked(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.netloc != self._host:
            self.wrong.append(f"asked {request.url}")

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")


@contextlib.contextmanager
def watched_page(browser: Browser, base: str, **context: Any) -> Iterator[Page]:
    """A page of a new profile, whose wrongs are an error when the block ends."""
    with contextlib.closing(browser.new_context(base_url=base, **context)) as opened:
        watched = Watched(opened, base)
        opened.add_init_script(
            "document.addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"
        )
        page = opened.new_page()
        page.set_default_timeout(15_000)
        yield page
        assert watched.wrong == [], str(watched.wrong)
