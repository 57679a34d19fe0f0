"""What each call of the management does, once its request was checked: the answer's fields."""

from __future__ import annotations

import datetime as dt
import math
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from api.accounts.failed_targets import FailedTarget
from api.dialects.vuforia import targets
from api.dialects.vuforia.codes import CREATED, SUCCESS
from api.dialects.vuforia.errors import TargetNotSuccess, TargetProcessing
from api.dialects.vuforia.management import Asked
from api.rules.pictures import NewPicture
from engine.catalogue import Picture, PictureChanges
from engine.errors import (
    DamagedData,
    ImageError,
    ImageTooSmall,
    InvalidValue,
    PictureNotFound,
    QuotaExceeded,
    TooFewFeatures,
)

TOLD_QUOTA, RECO_THRESHOLD, REQUEST_QUOTA = 1000, 1000, 100_000
"""What the vendor's summaries tell. The first is told of a channel without a quota; none of the three is a limit."""
SHOWS_TOO_LITTLE = (TooFewFeatures, ImageTooSmall)
Answer = dict[str, Any]
Method = Callable[[Asked], Awaitable[Answer]]


async def add_target(asked: Asked) -> Answer:
    """One whose image shows too little is added, too: its status tells that it has failed."""
    wanted, service = asked.wanted, asked.service
    assert wanted.name is not None
    assert wanted.width is not None
    assert wanted.image is not None
    drawn = str(uuid.uuid4())
    metadata, binary = targets.as_metadata(wanted.metadata)
    new = NewPicture(
        channel=asked.channel.name,
        identifier=targets.identifier_of(wanted.name),
        metadata=metadata,
        active=wanted.active is not False,
        facts=targets.new_facts({}, name=wanted.name, width=wanted.width, binary=binary),
        uuid=drawn,
    )

    def check_room() -> None:
        service.pictures.check_room(new)
        quota, failed = asked.channel.quota, len(service.failed_targets.all(asked.channel))
        if quota is not None and service.catalogue.count(asked.channel) + failed >= quota:
            raise QuotaExceeded(asked.channel.name, quota)

    await service.door.short.run(check_room)
    try:
        await service.pictures.add(asked.database.user, new, wanted.image)
    except SHOWS_TOO_LITTLE:
        now = time.time()
        failed = FailedTarget(
            uuid=drawn,
            identifier=new.identifier,
            name=wanted.name,
            width=wanted.width,
            active=new.active,
            added_at=now,
            updated_at=now,
        )
        await service.door.short.run(lambda: service.failed_targets.add(asked.channel, failed))
    return {"result_code": CREATED, "target_id": targets.target_id_of(drawn)}


async def list_targets(asked: Asked) -> Answer:
    """In the order of addition, failed ones last."""

    def work() -> list[str]:
        failed = asked.service.failed_targets.all(asked.channel)
        return [*asked.service.catalogue.uuids(asked.channel), *(one.uuid for one in failed)]

    found = await asked.service.door.short.run(work)
    return {"result_code": SUCCESS, "results": list(dict.fromkeys(map(targets.target_id_of, found)))}


async def get_target(asked: Asked) -> Answer:
    target = asked.named
    record = {
        "target_id": target.target_id,
        "active_flag": target.active,
        "name": target.name,
        "width": target.width,
        "tracking_rating": target.tracking_rating,
        "reco_rating": "",
    }
    return {"result_code": SUCCESS, "target_record": record, "status": target.status}


async def update_target(asked: Asked) -> Answer:
    """Absent fields stay, and even an empty object makes the target be processed again."""
    wanted, picture = asked.wanted, asked.named.picture
    if asked.named.status != targets.SUCCESS or picture is None:
        raise TargetNotSuccess
    for name in wanted.nulls:
        raise InvalidValue(name, "null is not accepted here")
    user, service = asked.database.user, asked.service
    if wanted.image is None:
        await service.door.short.run(lambda: service.pictures.change(user, picture, lambda now: _changes(asked, now)))
        return {"result_code": SUCCESS}
    try:
        await service.pictures.replace(
            user, picture, wanted.image, lambda now: _changes(asked, now), unlike_others=lambda _: False
        )
    except SHOWS_TOO_LITTLE:
        await service.door.short.run(lambda: _fail(asked, picture))
    return {"result_code": SUCCESS}


def _changes(asked: Asked, picture: Picture) -> PictureChanges:
    wanted, changes = asked.wanted, PictureChanges()
    binary, former = None, ""
    if wanted.metadata is not None:
        changes["metadata"], binary = targets.as_metadata(wanted.metadata)
    if wanted.active is not None:
        changes["active"] = wanted.active
    if wanted.name is not None and (identifier := targets.identifier_of(wanted.name)) != picture.identifier:
        changes["identifier"], former = identifier, picture.identifier
    changes["facts"] = targets.new_facts(
        picture.facts, name=wanted.name, width=wanted.width, binary=binary, former=former
    )
    return changes


def _fail(asked: Asked, picture: Picture) -> None:
    """The new image shows too little: the target keeps its id, and is found no more."""
    wanted, target = asked.wanted, asked.named
    name = target.name if wanted.name is None else wanted.name
    failed = FailedTarget(
        uuid=target.uuid,
        identifier=targets.identifier_of(name),
        name=name,
        width=target.width if wanted.width is None else wanted.width,
        active=target.active if wanted.active is None else wanted.active,
        added_at=target.added_at,
        updated_at=time.time(),
    )
    asked.service.failed_targets.add(asked.channel, failed)
    asked.service.pictures.remove(asked.channel, picture)


async def delete_target(asked: Asked) -> Answer:
    target, service = asked.named, asked.service
    if target.status == targets.PROCESSING:
        raise TargetProcessing

    def work() -> None:
        gone = service.failed_targets.remove(asked.channel, target.uuid)
        if target.picture is not None:
            gone = service.pictures.remove(asked.channel, target.picture) or gone
        if not gone:  # another request was quicker
            raise PictureNotFound(asked.channel.name, target.target_id)

    await service.door.short.run(work)
    return {"result_code": SUCCESS}


async def get_duplicates(asked: Asked) -> Answer:
    """Other targets that are the same picture, or nearly, and are active and done; none of one that is not done."""
    target, service = asked.named, asked.service
    seconds = service.settings.vuforia_processing_seconds
    alike: list[str] = []
    if target.status == targets.SUCCESS and target.picture is not None:
        alike = [
            targets.target_id_of(match.uuid)
            for match in await _similar(asked, target.picture)
            if match.uuid != target.uuid and not targets.is_new(match.updated_at, seconds)
        ]
    return {"result_code": SUCCESS, "similar_targets": alike}


async def _similar(asked: Asked, picture: Picture) -> list[Picture]:
    """By the kept JPEG; none where the gallery keeps none, or where that one shows too little."""
    service = asked.service
    jpeg = await service.door.short.run(lambda: service.catalogue.rendition(picture.id))
    if jpeg is None:
        return []
    try:
        matches = await service.recognition.similar(asked.database.user, asked.channel.name, jpeg)
    except SHOWS_TOO_LITTLE:
        return []
    except ImageError as error:
        raise DamagedData(f"the kept picture {picture.identifier!r} cannot be read: {error}") from error
    return [match.picture for match in matches]


async def database_summary(asked: Asked) -> Answer:
    service, channel = asked.service, asked.channel
    seconds = service.settings.vuforia_processing_seconds

    def work() -> Answer:
        states = service.catalogue.states(channel, since=time.time() - seconds if seconds else math.inf)
        failed = service.failed_targets.all(channel)
        waiting = sum(targets.is_new(one.updated_at, seconds) for one in failed)
        recos = service.counts.recos(asked.database.user, channel, None)
        return {
            "result_code": SUCCESS,
            "name": channel.name,
            "active_images": states.get((True, False), 0),
            "inactive_images": states.get((False, False), 0),
            "failed_images": len(failed) - waiting,
            "processing_images": states.get((True, True), 0) + states.get((False, True), 0) + waiting,
            "target_quota": TOLD_QUOTA if channel.quota is None else channel.quota,
            "total_recos": recos.total,
            "current_month_recos": recos.this_month,
            "previous_month_recos": recos.last_month,
            "reco_threshold": RECO_THRESHOLD,
            "request_quota": REQUEST_QUOTA,
            "request_usage": 0,
        }

    return await service.door.short.run(work)


async def target_summary(asked: Asked) -> Answer:
    target, service = asked.named, asked.service
    names = targets.identifiers_of(target.picture) if target.picture else [targets.identifier_of(target.name)]
    recos = await service.door.short.run(lambda: service.counts.recos(asked.database.user, asked.channel, names))
    return {
        "result_code": SUCCESS,
        "status": target.status,
        "database_name": asked.channel.name,
        "target_name": target.name,
        "upload_date": dt.datetime.fromtimestamp(target.added_at, dt.UTC).date().isoformat(),
        "active_flag": target.active,
        "tracking_rating": target.tracking_rating,
        "total_recos": recos.total,
        "current_month_recos": recos.this_month,
        "previous_month_recos": recos.last_month,
    }
