"""Adding pictures: one or many, with a line for each file. Sent again, what is there already is passed over."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Template

from api.console.console import SESSION_COOKIE, Console, ConsoleHere
from api.console.errors import reason
from api.console.forms import TOKEN, TOKEN_HEADER, check_origin, check_token
from api.console.texts import Words
from api.console.uploads import Part, parts
from api.console.visitors import NotAllowed, Visitor
from api.edge.refusals import AnyRequest, log_failure
from api.errors import BodyTooLarge
from api.rules.pictures import NewPicture
from engine.catalogue import Channel
from engine.errors import IdentifierTaken, ObverseError, StorageError

LONGEST, SHORTEST = 50, 3
"""Characters of an identifier."""
MOST_NUMBERED = 100
"""Names that are tried where a file's own is taken."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What became of one file."""

    file: str
    state: str
    """"added", "present" or "refused"."""
    identifier: str = ""
    uuid: str = ""
    level: int = 0
    reason: str = ""


@get("/add")
async def form(request: AnyRequest, console: ConsoleHere) -> Template:
    """Raises NotAllowed for a read-only pair."""
    return await console.page(
        request, "add.html", lambda visitor: {**_choice(request, console, visitor), "lines": None}
    )


def _choice(request: AnyRequest, console: Console, visitor: Visitor) -> dict[str, Any]:
    visitor.check_may_change()
    names = [channel.name for channel in visitor.channels(console.service.catalogue)]
    return {"names": names, "chosen": request.query_params.get("channel", "")}


@post("/add", status_code=200)
async def add(request: AnyRequest, console: ConsoleHere) -> Response[Any] | Template:
    """The token and the channel come before the files, as in our form; each file is added as soon as it is whole."""
    check_origin(request)
    session = console.sessions.session(request.cookies.get(SESSION_COOKIE))
    fields = {TOKEN: request.headers.get(TOKEN_HEADER, "")}
    lines: list[Line] = []
    words = console.words(request)
    target: tuple[Visitor, Channel] | None = None
    limit = console.service.settings.max_metadata_bytes
    async for part in parts(request, console, field_bytes=limit):
        if part.filename is None:
            fields[part.name] = part.content.decode("utf-8", "replace")
            continue
        if not part.filename and not part.content:  # nothing was chosen
            continue
        if target is None:
            check_token(session.token, fields[TOKEN])
            target = await console.run(request, lambda v: (v, _target(console, v, fields)), changes=True)
        lines.append(await _line(console, *target, part, fields, words))
    if target is None:
        check_token(session.token, fields[TOKEN])
    else:
        _note(console, *target, lines)
    if request.headers.get("accept", "").startswith("application/json"):
        return Response(msgspec.json.encode(lines), status_code=200, media_type="application/json")
    chosen = {"chosen": fields.get("channel", "")}
    return await console.page(
        request, "add.html", lambda visitor: {**_choice(request, console, visitor), **chosen, "lines": lines}
    )


def _target(console: Console, visitor: Visitor, fields: dict[str, str]) -> Channel:
    return visitor.channel(console.service.catalogue, fields.get("channel", ""))


def _note(console: Console, visitor: Visitor, channel: Channel, lines: list[Line]) -> None:
    if added := sum(line.state == "added" for line in lines):
        console.done(visitor, "pictures_added", channel=channel.name, about=str(added))


async def _line(
    console: Console, visitor: Visitor, channel: Channel, part: Part, fields: dict[str, str], words: Words
) -> Line:
    """One file that is refused stops none of the others."""
    name = (part.filename or "").replace("\\", "/").rsplit("/", 1)[-1][:120]
    try:
        if part.too_large:
            raise BodyTooLarge("image", console.service.settings.max_image_bytes)
        console.admit(visitor)
        return await _added(console, channel, part, fields, name)
    except NotAllowed:
        raise
    except ObverseError as error:
        if isinstance(error, StorageError):
            log_failure("adding a picture", error)
        return Line(file=name, state="refused", reason=reason(words, error))


async def _added(console: Console, channel: Channel, part: Part, fields: dict[str, str], name: str) -> Line:
    """Raises what `PictureRules.add_to` does."""
    own = fields.get("identifier", "").strip()
    digest = hashlib.sha256(part.content).hexdigest()
    wanted = own or identifier_of(name)
    for number in range(1, MOST_NUMBERED):
        identifier = wanted if number == 1 else f"{wanted[: LONGEST - 4]}_{number}"
        new = NewPicture(
            channel=channel.name,
            identifier=identifier,
            metadata=fields.get("metadata", ""),
            facts={"source": name, "sha256": digest},
        )
        try:
            picture = await console.service.pictures.add_to(channel, new, part.content)
        except IdentifierTaken:
            there = await console.service.door.short.run(
                lambda identifier=identifier: console.service.pictures.picture(channel, identifier)  # type: ignore[misc]
            )
            if there.facts.get("sha256") == digest:
                return Line(file=name, state="present", identifier=identifier, uuid=there.uuid, level=there.level)
            if own:
                raise
            continue
        return Line(file=name, state="added", identifier=identifier, uuid=picture.uuid, level=picture.level)
    raise IdentifierTaken(channel.name, wanted)


def identifier_of(file: str) -> str:
    """The file's name without suffix, made legal as `obverse add` does it: other characters become `_`, 3 to 50."""
    stem = re.sub(r"(?<=.)\.[A-Za-z0-9]{1,5}$", "", file)
    return re.sub(r"[^A-Za-z0-9@_.]", "_", stem)[:LONGEST].ljust(SHORTEST, "_")


HANDLERS = [form, add]
