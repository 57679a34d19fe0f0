"""What each operation does, once it is known who asks: read the parameters, ask the service, fill the answer."""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from api.accounts.apps import App
from api.dialects.easyar import codes, targets
from api.dialects.easyar.errors import RecordMissing, UpdateRefused
from api.dialects.easyar.parameters import Parameters, image_of, needed_image
from api.dialects.easyar.tokens import Tokens
from api.errors import SimilarPicture
from api.rules.pages import Page
from api.rules.pictures import NewPicture
from api.service import Service
from engine.catalogue import Channel, Picture
from engine.errors import InvalidValue, PictureNotFound, TooFewFeatures
from engine.recognise.answer import Recognition

LARGEST_PAGE = 100
LARGEST_LIST = 1_000


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request of an app."""

    service: Service
    """What answers it."""
    tokens: Tokens
    """For the names of tunnels."""
    app: App
    """Who asks."""
    parameters: Parameters
    """What was sent, authentication included."""
    client: str
    """Whose request it is: an address, or a tunnel's name."""
    target_id: str = ""
    """What the path names; empty where it names no target."""

    async def look_up(self, work: Callable[[], Any]) -> Any:
        """Short work in the door's short lane."""
        return await self.service.door.short.run(work)

    async def image(self) -> bytes | None:
        """The image that was sent, None where there is none. Raises what `image_of` does."""
        image: bytes | None = await self.look_up(lambda: image_of(self.service.settings, self.parameters))
        return image

    async def needed_image(self) -> bytes:
        """Raises what `needed_image` does."""
        image: bytes = await self.look_up(lambda: needed_image(self.service.settings, self.parameters))
        return image

    def own_channel(self) -> Channel:
        """Raises ChannelNotFound, ForeignChannel."""
        return self.service.access.own_channel(self.app.user, self.app.channel)

    def picture(self) -> Picture:
        """Raises PictureNotFound."""
        return self.service.pictures.picture_by_uuid(self.app.channel, self.target_id)

    def wanted(self) -> targets.Wanted:
        """Raises InvalidValue, BodyTooLarge."""
        return targets.wanted(self.parameters, max_meta_bytes=self.service.settings.max_metadata_bytes)

    def shown(self, picture: Picture) -> dict[str, Any]:
        return targets.shown(self.service, self.app, picture)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an operation answers."""

    result: Any
    code: int = codes.OK
    """0 or 17."""
    more: dict[str, Any] = field(default_factory=dict)
    """What stands beside `result` in the envelope."""


Method = Callable[[Call], Awaitable[Result]]


def now_iso() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def create_target(call: Call) -> Result:
    wanted = call.wanted()
    for name in ("name", "type"):
        if getattr(wanted, name) is None:
            raise InvalidValue(name, "it is needed")
    image = await call.needed_image()
    drawn = uuid.uuid4()
    new = NewPicture(
        channel=call.app.channel,
        identifier=drawn.hex,
        uuid=str(drawn),
        metadata=wanted.meta or "",
        active=wanted.active is not False,
        facts=wanted.facts({}),
        unlike_others=not wanted.allow_similar,
    )
    await call.look_up(lambda: call.service.pictures.check_room(new))
    picture = await call.service.pictures.add(call.app.user, new, image)
    return Result(result=await call.look_up(lambda: call.shown(picture)))


async def list_targets(call: Call) -> Result:
    number, size = _whole(call.parameters, "pageNum", default=1), _page_size(call.parameters, "pageSize")

    def work() -> dict[str, Any]:
        channel = call.own_channel()
        page = call.service.pages.newest(channel, offset=(number - 1) * size, limit=size)
        listed = _listed(call, page, "pageSize")
        total = call.service.catalogue.count(channel.name)
        return {"targets": listed, "pageNum": number, "pageSize": size, "total": total}

    return Result(result=await call.look_up(work))


async def list_targets_after(call: Call) -> Result:
    """The older list: `last` is the targetId that ended the page before."""
    size, last = _page_size(call.parameters, "limit"), call.parameters.text("last")

    def work() -> dict[str, Any]:
        after = call.service.pictures.picture_by_uuid(call.app.channel, last) if last else None
        page = call.service.pages.newest(call.own_channel(), limit=size, after=after)
        return {"targets": _listed(call, page, "limit")}

    return Result(result=await call.look_up(work))


def _listed(call: Call, page: Page, parameter: str) -> list[dict[str, Any]]:
    """The page, whole: clients count on its size. Raises InvalidValue where it holds too much."""
    if page.cut:
        limit = call.service.pages.most_bytes
        raise InvalidValue(parameter, f"the texts of these targets exceed {limit} bytes: ask for fewer at a time")
    return [targets.listed(call.app, picture) for picture in page.pictures]


async def count_targets(call: Call) -> Result:
    return Result(result={"count": await call.look_up(lambda: call.service.catalogue.count(call.app.channel))})


async def show_target(call: Call) -> Result:
    return Result(result=await call.look_up(lambda: call.shown(call.picture())))


async def update_target(call: Call) -> Result:
    """Absent fields stay. With an image the target is found by the new one alone, under the same targetId."""
    wanted, image = call.wanted(), await call.image()

    def unlike_others(picture: Picture) -> bool:
        return not (targets.allows_similar(picture) if wanted.allow_similar is None else wanted.allow_similar)

    picture: Picture = await call.look_up(call.picture)
    if image is None:
        changed = await call.look_up(lambda: call.service.pictures.change(call.app.user, picture, wanted.changes))
    else:
        try:
            changed = await call.service.pictures.replace(
                call.app.user, picture, image, wanted.changes, unlike_others=unlike_others
            )
        except SimilarPicture as error:
            raise UpdateRefused(error.identifier) from error
    return Result(result=await call.look_up(lambda: call.shown(changed)))


async def delete_target(call: Call) -> Result:
    """Flat, and once more under `target`: documents and clients read different ones."""

    def work() -> dict[str, Any]:
        target = _removed(call, call.target_id)
        return {**target, "target": target}

    return Result(result=await call.look_up(work))


async def delete_targets(call: Call) -> Result:
    """Those of the list that exist, all at once; none of them: 404."""
    names = [name.strip() for name in (call.parameters.text("targetId") or "").split(",") if name.strip()]
    if not 1 <= len(names) <= LARGEST_LIST:
        raise InvalidValue("targetId", f"1 to {LARGEST_LIST} ids, separated by commas")

    def work() -> dict[str, Any]:
        gone = call.service.catalogue.remove_pictures(call.own_channel(), [name.lower() for name in names])
        if not gone:
            raise PictureNotFound(call.app.channel, names[0][:50])
        call.service.recognizer.index.refresh()
        return {"targetId": ",".join(gone)}

    return Result(result=await call.service.door.bulk.run(work))


def _removed(call: Call, target_id: str) -> dict[str, Any]:
    picture = call.service.pictures.picture_by_uuid(call.app.channel, target_id)
    channel = call.service.access.own_channel(call.app.user, call.app.channel)
    if not call.service.pictures.remove(channel, picture):
        raise PictureNotFound(channel.name, target_id[:50])
    return targets.listed(call.app, picture)


async def find_similar(call: Call) -> Result:
    """An image without structure is similar to nothing."""
    image = await call.needed_image()
    try:
        matches = await call.service.recognition.similar(call.app.user, call.app.channel, image)
    except TooFewFeatures:
        matches = []

    def work() -> list[dict[str, Any]]:
        found = []
        for match in matches:
            try:
                found.append(call.shown(match.picture))
            except PictureNotFound:  # removed since
                continue
        return found

    return Result(result={"date": now_iso(), "results": await call.look_up(work)})


async def grade(call: Call) -> Result:
    return Result(result={"grade": (await _grades(call))["grade"]})


async def grade_in_detail(call: Call) -> Result:
    return Result(result=await _grades(call))


async def _grades(call: Call) -> dict[str, int]:
    """An image without structure has the grade -1, and each part of it is the worst."""
    image = await call.needed_image()
    try:
        level, grades = await call.service.pictures.grade(image)
    except TooFewFeatures:
        return {"grade": -1, **dict.fromkeys(targets.RATES, 4)}
    return {"grade": targets.grade_of(level), **targets.rates(grades)}


async def search(call: Call) -> Result:
    photo = await call.needed_image()
    tracking = str(call.parameters.values.get("notracking", "")).lower() not in ("1", "true")
    return await recognise(call, photo, tracking=tracking)


async def recognise(call: Call, photo: bytes, *, tracking: bool) -> Result:
    """tracking: the answer shall carry the tracking image. A photo without structure shows no target."""
    found: Recognition | None = None
    with contextlib.suppress(TooFewFeatures):
        found = await call.service.recognition.find(call.app.user, call.app.channel, photo, k=1, client=call.client)
    if found is None or found.answer is None:
        message = {"message": "No result: there is no matching."}
        return Result(result=message, code=codes.NO_MATCH, more={"date": now_iso()})
    matched = found.answer.picture

    def work() -> dict[str, Any]:
        try:
            picture = call.service.pictures.picture_by_uuid(call.app.channel, matched.uuid)
            return targets.shown(call.service, call.app, picture, with_image=tracking)
        except PictureNotFound as error:
            raise RecordMissing from error

    target = await call.look_up(work)
    return Result(result={"target": target, "targetId": target["targetId"]}, more={"date": now_iso()})


async def open_tunnel(call: Call) -> Result:
    return Result(result={"tunnel": call.tokens.make_tunnel(call.app)})


def _page_size(parameters: Parameters, name: str) -> int:
    size = _whole(parameters, name, default=5)
    if size > LARGEST_PAGE:
        raise InvalidValue(name, f"a whole number from 1 to {LARGEST_PAGE}")
    return size


def _whole(parameters: Parameters, name: str, *, default: int) -> int:
    text = parameters.text(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
        raise InvalidValue(name, "a whole number from 1")
    return int(text)
