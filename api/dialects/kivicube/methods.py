"""The seven methods. Each reads its form, asks the service in the order of checks that the contract
prescribes (credentials, channel, identifier, other values, taken, quota, size, format, features) and fills
its answer."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.accounts.store import User
from api.dialects.kivicube import wire
from api.edge.body import Form
from api.edge.door import asks
from api.errors import BodyTooLarge, NotMultipart, WrongCredentials
from api.rules.pictures import NewPicture, check_identifier
from api.service import Service
from api.stats import dates
from engine.catalogue import PictureChanges
from engine.errors import InvalidValue
from engine.recognise.answer import Match, Recognition

Call = Callable[[Service, Form], Awaitable[wire.Answer]]


def _login(service: Service, form: Form, *, reads_only: bool = False) -> User:
    return service.access.authenticate(form.text("username"), form.text("secretkey"), reads_only=reads_only)


def _demand_image(service: Service, form: Form) -> None:
    """Raises NotMultipart where none is sent, nor named."""
    if "image" not in form.files and not service.fetcher.is_named(form, "image"):
        raise NotMultipart("it has no such part")


def _check_image(service: Service, form: Form) -> None:
    """After the checks that come before its size. Raises BodyTooLarge; InvalidValue for two images."""
    if "image" in form.files and service.fetcher.is_named(form, "image"):
        raise InvalidValue("image_url", "not together with `image`")
    if form.files_too_large:
        raise BodyTooLarge("image", service.settings.max_image_bytes)


async def add_image(service: Service, form: Form) -> wire.AddImageAnswer:
    _demand_image(service, form)

    def check() -> tuple[User, NewPicture]:
        user = _login(service, form)
        channel = service.access.channel_for_adding(user, form.text("channel"))
        new = NewPicture(
            channel=channel,
            identifier=check_identifier(form.text("identifier")),
            threshold=wire.read_ratio(form),
            metadata=wire.read_metadata(form, limit=service.settings.max_metadata_bytes) or "",
        )
        service.pictures.check_room(new)
        _check_image(service, form)
        return user, new

    user, new = await service.door.short.run(check)
    asks(user.id)
    async with service.fetcher.given(form, "image") as image:
        picture = await service.pictures.add(user, new, image)
    return wire.AddImageAnswer(level=picture.level)


async def remove_image(service: Service, form: Form) -> wire.RemoveImageAnswer:
    """An identifier that does not exist is removed already: 0."""

    def work() -> wire.RemoveImageAnswer:
        channel = service.access.own_channel(_login(service, form), form.text("channel"))
        service.pictures.remove(channel, form.text("identifier"))
        return wire.RemoveImageAnswer()

    return await service.door.short.run(work)


async def get_images(service: Service, form: Form) -> wire.GetImagesAnswer:
    """A page whose metadata is long is shorter than others; clients go on by the number of pictures that it has."""

    def work() -> wire.GetImagesAnswer:
        channel = service.access.own_channel(_login(service, form), form.text("channel"))
        position = wire.read_count(form, "position", default=0, least=0, most=sys.maxsize)
        page = service.pages.by_identifier(channel, offset=position, limit=service.settings.page_size)
        images = [
            wire.ListedImage(
                identifier=picture.identifier,
                metadata=picture.metadata,
                matchratio=wire.plain_number(service.pictures.threshold(picture)),
            )
            for picture in page.pictures
        ]
        return wire.GetImagesAnswer(totalcount=service.catalogue.count(channel.name), images=images)

    return await service.door.short.run(work)


async def get_image(service: Service, form: Form) -> wire.GetImageAnswer:
    """Credentials are optional where the setting `public_getimage` allows it, but verified when given."""

    def work() -> wire.GetImageAnswer:
        if form.text("username") or form.text("secretkey"):
            channel = service.access.own_channel(_login(service, form, reads_only=True), form.text("channel"))
        elif service.settings.public_getimage:
            channel = service.access.any_channel(form.text("channel"))
        else:
            raise WrongCredentials("username and secretkey are needed")
        picture = service.pictures.picture(channel, form.text("identifier"))
        return wire.GetImageAnswer(
            metadata=picture.metadata,
            matchratio=wire.plain_number(service.pictures.threshold(picture)),
            level=picture.level,
        )

    return await service.door.short.run(work)


async def update_image_info(service: Service, form: Form) -> wire.UpdateImageInfoAnswer:
    """Absent fields stay as they are; empty metadata clears it."""

    def work() -> wire.UpdateImageInfoAnswer:
        channel = service.access.own_channel(_login(service, form), form.text("channel"))
        picture = service.pictures.picture(channel, form.text("identifier"))
        changes = PictureChanges()
        if (threshold := wire.read_ratio(form)) is not None:
            changes["threshold"] = threshold
        if (metadata := wire.read_metadata(form, limit=service.settings.max_metadata_bytes)) is not None:
            changes["metadata"] = metadata
        if changes:
            service.pictures.update(channel, picture, changes)
        return wire.UpdateImageInfoAnswer()

    return await service.door.short.run(work)


async def statistics(service: Service, form: Form) -> wire.StatisticsAnswer:
    def work() -> wire.StatisticsAnswer:
        user = _login(service, form, reads_only=True)
        name = form.text("channel")
        channel = None if name is None else service.access.own_channel(user, name)
        days = (
            dates.first_day("startdate", form.text("startdate") or ""),
            dates.last_day("enddate", form.text("enddate") or ""),
        )
        counts = service.counts.matches_by_day(user, days, channel=channel, identifier=form.text("identifier"))
        kind = "identifier" if channel else "channel"
        records = [
            wire.DayRecord(date=count.day.strftime("%Y%m%d"), count=count.count, **{kind: count.name})
            for count in counts
        ]
        answer = wire.StatisticsAnswer(username=form.values["username"], records=records)
        if channel:
            answer.channel = channel.name
        return answer

    return await service.door.short.run(work)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a FindImage wants to be told."""

    explain: bool
    several: bool
    mirrored: bool
    limit: int


async def find_image(service: Service, form: Form) -> wire.FindImageAnswer:
    """The channel is looked up once: where the photo is searched, or here, where something else is wrong."""
    _demand_image(service, form)
    channel = form.text("channel")

    def check() -> tuple[User, Asked]:
        user = _login(service, form, reads_only=True)
        try:
            asked = Asked(
                **{name: wire.read_switch(form, name) for name in ("explain", "several", "mirrored")},
                limit=wire.read_count(form, "limit", default=0, least=0, most=service.settings.max_results),
            )
            if asked.several and asked.mirrored:
                raise InvalidValue("mirrored", "not together with `several`")
            _check_image(service, form)
            return user, asked
        except (InvalidValue, BodyTooLarge):
            service.access.searched_channels(user, channel)  # whose errors come first
            raise

    user, asked = await service.door.short.run(check)
    asks(user.id)
    most = service.settings.max_results
    async with service.fetcher.given(form, "image") as photo:
        if asked.several:
            recognition = await service.recognition.find_several(user, channel, photo, most=most)
        else:
            k = max(1, asked.limit)
            recognition = await service.recognition.find(
                user, channel, photo, k=k, client=form.client, mirrored=asked.mirrored
            )
    answer = _found(recognition, everywhere=channel is None)
    if asked.explain:
        _explain(answer, recognition)
    if asked.mirrored:
        answer.mirrored = recognition.mirrored
    if asked.several:
        answer.results = [_candidate(match) for match in recognition.results]
    elif asked.limit:
        answer.results = [_candidate(match) for match in recognition.results[: asked.limit]]
    return answer


def _found(recognition: Recognition, *, everywhere: bool) -> wire.FindImageAnswer:
    """everywhere: no channel was asked for, so that the answer tells it."""
    answer = wire.FindImageAnswer()
    if recognition.answer is not None:
        picture = recognition.answer.picture
        answer.identifier = picture.identifier
        if everywhere:
            answer.channel, answer.level = picture.channel, picture.level
    return answer


def _explain(answer: wire.FindImageAnswer, recognition: Recognition) -> None:
    answer.timings_ms = {stage: round(ms, 2) for stage, ms in recognition.timings_ms.items()}
    if recognition.results:
        answer.because = recognition.results[0].because
    if recognition.answer is not None:
        answer.matchratio = wire.plain_number(recognition.answer.match_ratio)
        answer.quad = _corners(recognition.answer)


def _candidate(match: Match) -> wire.Candidate:
    return wire.Candidate(
        identifier=match.picture.identifier,
        channel=match.picture.channel,
        matchratio=wire.plain_number(match.match_ratio),
        quad=_corners(match),
    )


def _corners(match: Match) -> list[tuple[float, float]]:
    return [(round(float(x), 2), round(float(y), 2)) for x, y in match.quad]
