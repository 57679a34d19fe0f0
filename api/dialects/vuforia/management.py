"""Management: what must be true of a request before its call does anything, in the vendor's order, and the look-ups
that the calls share."""

from __future__ import annotations

from dataclasses import dataclass

from api.accounts.databases import Database
from api.dialects.vuforia import fields, targets
from api.dialects.vuforia.asked import MANAGEMENT_SIDE, Request, check_active, check_date, who
from api.dialects.vuforia.errors import BodyMissing, ContentTypeMissing, UnwantedBody
from api.dialects.vuforia.fields import Wanted
from api.dialects.vuforia.targets import Target
from api.service import Service
from engine.catalogue import Channel
from engine.errors import IdentifierTaken, PictureNotFound

NEEDED = frozenset({"name", "width", "image"})
"""Fields of a new target."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that passed the checks."""

    service: Service
    database: Database
    channel: Channel
    target: Target | None
    """What the path names; None where it names no target."""
    wanted: Wanted
    """What the body says; nothing where the call takes none."""

    @property
    def named(self) -> Target:
        """For calls whose path names a target."""
        assert self.target is not None
        return self.target


def check(request: Request, *, takes_body: bool, works_inactive: bool) -> Asked:
    """Work for a thread. works_inactive: the call works on a database that is switched off. Raises what `who` does,
    and the rows of `codes.MANAGEMENT` that the checks below name."""
    service = request.service
    database = who(request, MANAGEMENT_SIDE)
    if not works_inactive:
        check_active(database)
    channel = service.access.own_channel(database.user, database.channel)
    target = find(service, channel, request.target_id) if request.target_id else None
    if request.body and not takes_body:
        raise UnwantedBody
    check_date(request, MANAGEMENT_SIDE)
    said = _said(request, channel, target) if takes_body else Wanted()
    return Asked(service=service, database=database, channel=channel, target=target, wanted=said)


def _said(request: Request, channel: Channel, target: Target | None) -> Wanted:
    if not request.body:
        raise BodyMissing
    service = request.service

    def check_free(name: str) -> None:
        check_name(service, channel, name, but=target)

    said = fields.wanted(
        service.settings,
        fields.read_fields(request.body),
        needed=frozenset() if target else NEEDED,
        adding=target is None,
        check_free=check_free,
    )
    if not request.content_type:
        raise ContentTypeMissing
    return said


def find(service: Service, channel: Channel, target_id: str) -> Target:
    """Raises PictureNotFound."""
    seconds = service.settings.vuforia_processing_seconds
    uuid = targets.uuid_of(target_id)
    if uuid is None:
        raise PictureNotFound(channel.name, target_id[:50])
    try:
        return targets.of_picture(service.pictures.picture_by_uuid(channel.name, uuid), processing_seconds=seconds)
    except PictureNotFound:
        poor = service.poor_targets.by_uuid(channel, uuid)
        if poor is None:
            raise
        return targets.of_poor(poor, processing_seconds=seconds)


def check_name(service: Service, channel: Channel, name: str, *, but: Target | None) -> None:
    """but: the target that may have it. Raises IdentifierTaken; also for characters above U+FFFF, as the vendor's
    service does where a target is renamed."""
    identifier = targets.identifier_of(name)
    holders = {_picture_of(service, channel, identifier), _poor_of(service, channel, identifier)}
    if holders - {None, but.uuid if but else None} or any(ord(letter) > 0xFFFF for letter in name):
        raise IdentifierTaken(channel.name, name)


def _picture_of(service: Service, channel: Channel, identifier: str) -> str | None:
    try:
        return service.pictures.picture(channel, identifier).uuid
    except PictureNotFound:
        return None


def _poor_of(service: Service, channel: Channel, identifier: str) -> str | None:
    poor = service.poor_targets.by_identifier(channel, identifier)
    return poor.uuid if poor else None
