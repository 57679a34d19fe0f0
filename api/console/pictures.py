"""The pictures of a channel: a grid or a list, paged by key, searched and filtered; changes of many at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from api.console.console import Console, ConsoleHere
from api.console.forms import SHORT, read_form
from api.console.numbers import read_threshold, read_whole
from api.console.visitors import Visitor
from api.edge.refusals import AnyRequest
from engine.catalogue import Channel, Glimpse, PictureChanges, Wanted
from engine.catalogue.rules import IDENTIFIER
from engine.errors import InvalidValue, PictureNotFound

PAGE = 60
AT_ONCE = 240
"""Pictures that are read at once where the counts decide which are shown."""
MOST_READS = 25
"""Such reads for one page: then the page ends, with what it has and a way on."""
LONGEST_SEARCH = 100
PICK = "pick."


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What the address of a page says."""

    text: str
    level: int | None
    active: bool | None
    never: bool
    """Only those that were never answered."""
    own: bool
    """Only those with a threshold of their own."""
    view: str
    """"grid" or "list"."""
    after: str

    @property
    def wanted(self) -> Wanted:
        own = True if self.own else None
        return Wanted(text=self.text, level=self.level, active=self.active, own_threshold=own)


def _chosen(request: AnyRequest) -> Chosen:
    """Raises InvalidValue."""
    given = request.query_params
    after, level = given.get("after", ""), given.get("level", "")
    if after and not IDENTIFIER.fullmatch(after):
        raise InvalidValue("after", "an identifier")
    return Chosen(
        text=given.get("search", "").strip()[:LONGEST_SEARCH],
        level=read_whole("level", level, least=1, most=5) if level else None,
        active={"on": True, "off": False}.get(given.get("state", "")),
        never=given.get("matched") == "never",
        own=given.get("threshold") == "own",
        view="list" if given.get("view") == "list" else "grid",
        after=after,
    )


@get("/pictures")
async def pictures(request: AnyRequest, console: ConsoleHere) -> Template:
    """Without a channel: the first of the visitor's."""
    chosen, name = _chosen(request), request.query_params.get("channel", "")

    def show(visitor: Visitor) -> dict[str, Any]:
        catalogue = console.service.catalogue
        names = [channel.name for channel in visitor.channels(catalogue)]
        if not name and not names:
            return {"channel": None, "names": [], "chosen": chosen}
        channel = visitor.channel(catalogue, name or names[0])
        page, further = _page(console, visitor, channel, chosen)
        return {
            "channel": channel,
            "names": names,
            "chosen": chosen,
            "page": page,
            "further": further,
            "count": catalogue.count(channel),
            "default_threshold": console.service.recognizer.default_threshold,
        }

    return await console.page(request, "pictures.html", show)


def _page(console: Console, visitor: Visitor, channel: Channel, chosen: Chosen) -> tuple[list[Glimpse], str]:
    """The pictures, and the identifier after which the next page begins; empty where there is none."""
    found: list[Glimpse] = []
    after, reads = chosen.after, 0
    while True:
        limit = AT_ONCE if chosen.never else PAGE + 1
        read = console.service.catalogue.browse(channel, chosen.wanted, after=after, limit=limit)
        found += _never_matched(console, visitor, channel, read) if chosen.never else read
        reads += 1
        if len(found) > PAGE:
            return found[:PAGE], found[PAGE - 1].identifier
        if len(read) < limit:
            return found, ""
        after = read[-1].identifier
        if reads >= MOST_READS:
            return found, after


def _never_matched(console: Console, visitor: Visitor, channel: Channel, read: list[Glimpse]) -> list[Glimpse]:
    names = [glimpse.identifier for glimpse in read]
    matched = console.service.count_store.counted_among(channel.name, names, user_id=visitor.user_id)
    return [glimpse for glimpse in read if glimpse.identifier not in matched]


@post("/pictures/many", status_code=303)
async def many(request: AnyRequest, console: ConsoleHere) -> Response[Any] | Template:
    """Removes, switches or sets the threshold of the pictures that were picked. A removal is asked for once more."""
    fields = {"channel": SHORT, "action": SHORT, "threshold": SHORT, "sure": SHORT}
    async with read_form(request, console, fields=fields, others=8) as form:
        picked = [name.removeprefix(PICK) for name in form.values if name.startswith(PICK)]
        action, channel_name = form.values.get("action", ""), form.values.get("channel", "")
        if action == "remove" and form.values.get("sure") != "yes" and picked:
            return await console.page(request, "remove.html", lambda v: _asked(console, v, channel_name, picked))
        change = _change(action, form.values.get("threshold", ""))

        def work() -> str:
            visitor = console.visitor(request)
            visitor.check_may_change()
            channel = visitor.channel(console.service.catalogue, channel_name)
            done = _remove(console, channel, picked) if change is None else _apply(console, channel, picked, change)
            if done:
                console.done(visitor, f"pictures_{action}", channel=channel.name, about=str(done))
            return channel.name

        name = await console.service.door.bulk.run(work)
    return console.to(f"/console/pictures?channel={name}")


def _asked(console: Console, visitor: Visitor, channel_name: str, picked: list[str]) -> dict[str, Any]:
    visitor.check_may_change()
    channel = visitor.channel(console.service.catalogue, channel_name)
    found = [console.service.catalogue.picture_by_uuid(uuid) for uuid in picked]
    mine = [picture for picture in found if picture is not None and picture.channel == channel.name]
    return {"channel": channel, "pictures": mine}


def _change(action: str, threshold: str) -> PictureChanges | None:
    """None: they are removed. Raises InvalidValue."""
    changes: dict[str, Callable[[], PictureChanges | None]] = {
        "remove": lambda: None,
        "on": lambda: PictureChanges(active=True),
        "off": lambda: PictureChanges(active=False),
        "threshold": lambda: PictureChanges(threshold=read_threshold(threshold)),
    }
    if action not in changes:
        raise InvalidValue("action", "remove, on, off or threshold")
    return changes[action]()


def _remove(console: Console, channel: Channel, picked: list[str]) -> int:
    return len(console.service.catalogue.remove_pictures(channel, picked))


def _apply(console: Console, channel: Channel, picked: list[str], change: PictureChanges) -> int:
    """How many were changed: those that were removed meanwhile are passed over."""
    done = 0
    for uuid in picked:
        try:
            picture = console.service.pictures.picture_by_uuid(channel.name, uuid)
            console.service.pictures.update(channel, picture, change)
        except PictureNotFound:
            continue
        done += 1
    return done


HANDLERS = [pictures, many]
