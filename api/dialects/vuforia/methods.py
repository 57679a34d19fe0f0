"""What each call of the management does, once its request was checked: the answer's fields."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from api.dialects.vuforia import storing, targets
from api.dialects.vuforia.codes import CREATED, SUCCESS
from api.dialects.vuforia.errors import TargetProcessing
from api.dialects.vuforia.management import Asked
from engine.catalogue import Picture
from engine.errors import DamagedData, ImageError, PictureNotFound

TOLD_QUOTA, RECO_THRESHOLD, REQUEST_QUOTA = 1000, 1000, 100_000
"""What the vendor's summaries tell. The first is told of a channel without a quota; none of the three is a limit."""
Answer = dict[str, Any]
Method = Callable[[Asked], Awaitable[Answer]]


async def add_target(asked: Asked) -> Answer:
    """One whose image shows too little is added, too: its status or its rating tells."""
    return {"result_code": CREATED, "target_id": await storing.add(asked)}


async def list_targets(asked: Asked) -> Answer:
    """In the order of addition, those that cannot be found last."""

    def work() -> list[str]:
        poor = asked.service.poor_targets.all(asked.channel)
        return [*asked.service.catalogue.uuids(asked.channel), *(one.uuid for one in poor)]

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
    await storing.change(asked)
    return {"result_code": SUCCESS}


async def delete_target(asked: Asked) -> Answer:
    target, service = asked.named, asked.service
    if target.status == targets.PROCESSING:
        raise TargetProcessing

    def work() -> None:
        gone = service.poor_targets.remove(asked.channel, target.uuid)
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
    except storing.SHOWS_TOO_LITTLE:
        return []
    except ImageError as error:
        raise DamagedData(f"the kept picture {picture.identifier!r} cannot be read: {error}") from error
    return [match.picture for match in matches]


async def database_summary(asked: Asked) -> Answer:
    service, channel = asked.service, asked.channel
    seconds = service.settings.vuforia_processing_seconds

    def work() -> Answer:
        images: Counter[str] = Counter()
        states = service.catalogue.states(channel, since=time.time() - seconds if seconds else math.inf)
        for (active, is_new), number in states.items():
            images[_group(targets.PROCESSING if is_new else targets.SUCCESS, active=active)] += number
        for one in service.poor_targets.all(channel):
            target = targets.of_poor(one, processing_seconds=seconds)
            images[_group(target.status, active=target.active)] += 1
        recos = service.counts.recos(asked.database.user, channel, None)
        return {
            "result_code": SUCCESS,
            "name": channel.name,
            **{f"{group}_images": images[group] for group in ("active", "inactive", "failed", "processing")},
            "target_quota": TOLD_QUOTA if channel.quota is None else channel.quota,
            "total_recos": recos.total,
            "current_month_recos": recos.this_month,
            "previous_month_recos": recos.last_month,
            "reco_threshold": RECO_THRESHOLD,
            "request_quota": REQUEST_QUOTA,
            "request_usage": 0,
        }

    return await service.door.short.run(work)


def _group(status: str, *, active: bool) -> str:
    """What a target is counted as."""
    return status if status != targets.SUCCESS else "active" if active else "inactive"


async def target_summary(asked: Asked) -> Answer:
    target, service = asked.named, asked.service
    names = targets.identifiers_of(target)
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
