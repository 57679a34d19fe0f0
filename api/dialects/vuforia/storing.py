"""What becomes of a target's image: a picture, or, where it shows too little, a poor target that no photo finds.

A change may make one of the other. The target_id stays; whoever reads meanwhile sees the one or the other.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from api.accounts.poor_targets import PoorTarget
from api.dialects.vuforia import images, targets
from api.dialects.vuforia.errors import TargetNotSuccess
from api.dialects.vuforia.fields import Wanted
from api.dialects.vuforia.management import Asked
from api.rules.pictures import NewPicture
from engine.catalogue import Picture, PictureChanges
from engine.errors import ImageTooSmall, InvalidValue, QuotaExceeded, TooFewFeatures

SHOWS_TOO_LITTLE = (TooFewFeatures, ImageTooSmall)


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is stored of a target beside its image."""

    identifier: str
    name: str
    width: float
    active: bool
    metadata: str = field(repr=False)
    facts: dict[str, Any] = field(repr=False)

    def changed(self, wanted: Wanted) -> Content:
        """With what a request says laid over it."""
        metadata, binary, identifier = self.metadata, None, self.identifier
        if wanted.metadata is not None:
            metadata, binary = targets.as_metadata(wanted.metadata)
        if wanted.name is not None:
            identifier = targets.identifier_of(wanted.name)
        return Content(
            identifier=identifier,
            name=self.name if wanted.name is None else wanted.name,
            width=self.width if wanted.width is None else wanted.width,
            active=self.active if wanted.active is None else wanted.active,
            metadata=metadata,
            facts=targets.new_facts(
                self.facts,
                name=wanted.name,
                width=wanted.width,
                binary=binary,
                former=self.identifier if identifier != self.identifier else "",
            ),
        )


_NOTHING = Content(identifier="", name="", width=1.0, active=True, metadata="", facts={})


def _of_picture(picture: Picture) -> Content:
    return Content(
        identifier=picture.identifier,
        name=targets.name_of(picture),
        width=targets.facts_of(picture).get("width", 1.0),
        active=picture.active,
        metadata=picture.metadata,
        facts=picture.facts,
    )


def _of_poor(poor: PoorTarget) -> Content:
    return Content(**{part.name: getattr(poor, part.name) for part in dataclasses.fields(Content)})


async def add(asked: Asked) -> str:
    """The new target's id. Raises QuotaExceeded, IdentifierTaken, the ImageErrors, Busy."""
    wanted, service = asked.wanted, asked.service
    content, drawn = _NOTHING.changed(wanted), str(uuid.uuid4())

    def check_room() -> None:
        service.pictures.check_room(_new_picture(asked, content, drawn))
        quota, others = asked.channel.quota, len(service.poor_targets.all(asked.channel))
        if quota is not None and service.catalogue.count(asked.channel) + others >= quota:
            raise QuotaExceeded(asked.channel.name, quota)

    await service.door.short.run(check_room)
    assert wanted.image is not None
    try:
        await service.pictures.add(asked.database.user, _new_picture(asked, content, drawn), wanted.image)
    except SHOWS_TOO_LITTLE:
        poor = await _poor(asked, content, drawn, wanted.image, added_at=time.time())
        await service.door.short.run(lambda: service.poor_targets.add(asked.channel, poor))
    return targets.target_id_of(drawn)


async def change(asked: Asked) -> None:
    """Even where nothing is wanted the target counts as changed. Raises TargetNotSuccess, InvalidValue, and what
    `add` does."""
    target, wanted = asked.named, asked.wanted
    if target.status != targets.SUCCESS:
        raise TargetNotSuccess
    for name in sorted(wanted.nulls):
        raise InvalidValue(name, "null is not accepted here")
    if target.picture is not None:
        await _change_picture(asked, target.picture)
    elif target.poor is not None:
        await _change_poor(asked, target.poor)


async def _change_picture(asked: Asked, picture: Picture) -> None:
    user, service, wanted = asked.database.user, asked.service, asked.wanted

    def edit(now: Picture) -> PictureChanges:
        content = _of_picture(now).changed(wanted)
        changes = PictureChanges(metadata=content.metadata, active=content.active, facts=content.facts)
        if content.identifier != now.identifier:
            changes["identifier"] = content.identifier
        return changes

    if wanted.image is None:
        await service.door.short.run(lambda: service.pictures.change(user, picture, edit))
        return
    try:
        await service.pictures.replace(user, picture, wanted.image, edit, unlike_others=lambda _: False)
    except SHOWS_TOO_LITTLE:
        content = _of_picture(picture).changed(wanted)
        poor = await _poor(asked, content, picture.uuid, wanted.image, added_at=picture.added_at)

        def swap() -> None:
            service.poor_targets.add(asked.channel, poor)
            service.pictures.remove(asked.channel, picture)

        await service.door.short.run(swap)


async def _change_poor(asked: Asked, poor: PoorTarget) -> None:
    """One that becomes a picture counts as added then."""
    service, wanted = asked.service, asked.wanted
    content = _of_poor(poor).changed(wanted)
    changed = dataclasses.replace(poor, **vars(content), updated_at=time.time())
    if wanted.image is not None:
        try:
            new = _new_picture(asked, content, poor.uuid)
            await service.pictures.add(asked.database.user, new, wanted.image)
        except SHOWS_TOO_LITTLE:
            changed = await _poor(asked, content, poor.uuid, wanted.image, added_at=poor.added_at)
        else:
            await service.door.short.run(lambda: service.poor_targets.remove(asked.channel, poor.uuid))
            return
    await service.door.short.run(lambda: service.poor_targets.replace(asked.channel, changed))


def _new_picture(asked: Asked, content: Content, picture_uuid: str) -> NewPicture:
    return NewPicture(
        channel=asked.channel.name,
        identifier=content.identifier,
        metadata=content.metadata,
        active=content.active,
        facts=content.facts,
        uuid=picture_uuid,
    )


async def _poor(asked: Asked, content: Content, target_uuid: str, image: bytes, *, added_at: float) -> PoorTarget:
    """Raises TruncatedImage: of an image that is too small nothing was decoded so far."""
    failed = await asked.service.door.long.run(lambda: images.shows_nothing(asked.service.settings, image))
    return PoorTarget(uuid=target_uuid, **vars(content), failed=failed, added_at=added_at, updated_at=time.time())
