"""Draws the pictures of docs/console.md: `python -m tests.support.console_screenshots`, with Chromium installed.

The gallery is the demo's: drawn posters, and photos of them by simulation. The counts are those of a made-up month.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from api.accounts.operator import OperatorPassword
from api.stats.store import CountStore, Event
from engine.catalogue import Catalogue
from tests.support import commands
from tests.support.browser import chromium, film_of
from tests.support.paths import ROOT
from tests.support.running_server import make_user, serving

PASSWORD = "drawn for the documentation"
COLOURS = 256
"""Of a PNG's palette: a third of the bytes, and nobody sees the difference."""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        done = commands.run("demo", "--out", str(place / "demo"), "--count", "80", "--photos", "6")
        assert done.status == 0, done.err
        data = place / "demo" / "data"
        owner = make_user(data, "museum")
        with contextlib.closing(Catalogue(data)) as catalogue:
            OperatorPassword(catalogue).set(PASSWORD)
            (channel,) = catalogue.channels()
            channel = catalogue.update_channel(channel, owner=owner.id, quota=500)
            identifiers = [picture.identifier for picture in catalogue.pictures(channel, limit=40)]
        _count(data, owner.id, channel.name, identifiers)
        photos = sorted((place / "demo" / "photos").glob("*.jpg"))
        with serving(data, log=place / "log") as server, chromium(film_of(1, place / "film.y4m")) as browser:
            context = browser.new_context(base_url=server.base, viewport={"width": 1180, "height": 760})
            page = context.new_page()
            page.goto("/console")
            page.fill("[name=password]", PASSWORD)
            page.press("[name=password]", "Enter")
            page.wait_for_load_state()
            page.goto(f"/console/try?channel={channel.name}")
            page.set_input_files("input[type=file]", str(photos[1]))
            page.wait_for_selector("svg.photo")
            page.evaluate("document.querySelector('#answer').scrollIntoView()")
            _save(page.screenshot(), "try")
            page.goto(f"/console/pictures?channel={channel.name}")
            page.wait_for_load_state("networkidle")
            _save(page.screenshot(), "pictures")
            page.goto(f"/console/statistics?channel={channel.name}")
            _save(page.screenshot(), "statistics")
            context.close()


def _count(data: Path, user_id: int, channel: str, identifiers: list[str]) -> None:
    """A month in which some posters are liked more than others."""
    rng = np.random.default_rng(4)
    store = CountStore(data)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    for back in range(30):
        at = now - dt.timedelta(days=back)
        chosen = rng.zipf(1.6, int(rng.integers(30, 120))) % len(identifiers)
        store.append(
            [
                Event(at=at, day=at.date(), user_id=user_id, channel=channel, identifier=identifiers[place])
                for place in chosen
            ]
        )
    store.close()


def _save(png: bytes, name: str) -> None:
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    path = ROOT / "docs" / "console" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    image.save(path, optimize=True)
    print(json.dumps({"file": path.name, "bytes": path.stat().st_size}))


if __name__ == "__main__":
    main()
