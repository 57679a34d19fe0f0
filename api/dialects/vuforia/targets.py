"""Targets: a picture in this dialect's terms, or what stands for one whose image shows too little.

The UUID without dashes is the target_id. A name that could be an identifier is the picture's; another stands in its
facts under "vuforia", and its hash is the identifier, so that both are unique together. So do width, the identifiers
of earlier names, and how the metadata is written.
"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.accounts.poor_targets import PoorTarget
from api.dialects.vuforia.images import to_base64
from engine.catalogue import Picture
from engine.catalogue.rules import IDENTIFIER

FACTS = "vuforia"
PROCESSING, SUCCESS, FAILED = "processing", "success", "failed"
FORMER = 20
"""Earlier identifiers of a target that are remembered: its matches were counted under them."""
_TARGET_ID = re.compile(r"[0-9a-f]{32}")
_MADE = re.compile(r"v\.[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What management tells; times are seconds since 1970."""

    uuid: str
    name: str
    width: float
    """In the scene's unit."""
    active: bool
    status: str
    """One of the three above."""
    tracking_rating: int
    """1 (worst) to 5: the picture's level; 0: it cannot be found; -1: not known yet."""
    added_at: float
    picture: Picture | None
    """None: its image shows too little."""
    poor: PoorTarget | None = None
    """None: there is a picture."""

    @property
    def target_id(self) -> str:
        return target_id_of(self.uuid)


def of_picture(picture: Picture, *, processing_seconds: float) -> Target:
    status = PROCESSING if is_new(picture.updated_at, processing_seconds) else SUCCESS
    return Target(
        uuid=picture.uuid,
        name=name_of(picture),
        width=facts_of(picture).get("width", 1.0),
        active=picture.active,
        status=status,
        tracking_rating=picture.level if status == SUCCESS else -1,
        added_at=picture.added_at,
        picture=picture,
    )


def of_poor(found: PoorTarget, *, processing_seconds: float) -> Target:
    done = FAILED if found.failed else SUCCESS
    status = PROCESSING if is_new(found.updated_at, processing_seconds) else done
    return Target(
        uuid=found.uuid,
        name=found.name,
        width=found.width,
        active=found.active,
        status=status,
        tracking_rating=-1 if status == PROCESSING else 0,
        added_at=found.added_at,
        picture=None,
        poor=found,
    )


def is_new(changed_at: float, processing_seconds: float) -> bool:
    """Whether what changed then is told as being processed."""
    return processing_seconds > 0 and time.time() < changed_at + processing_seconds


def target_id_of(picture_uuid: str) -> str:
    """32 hexadecimal digits."""
    return picture_uuid.replace("-", "")


def uuid_of(target_id: str) -> str | None:
    """None where no target can have that id."""
    return str(uuid.UUID(hex=target_id)) if _TARGET_ID.fullmatch(target_id) else None


def identifier_of(name: str) -> str:
    """The picture's identifier that stands for a name: itself where it can be one, else made from its hash."""
    if IDENTIFIER.fullmatch(name) and not _MADE.fullmatch(name):
        return name
    return f"v.{hashlib.sha256(name.encode()).hexdigest()[:40]}"


def name_of(picture: Picture) -> str:
    """The identifier of one that was added, or renamed, by another dialect."""
    name = facts_of(picture).get("name", "")
    return str(name) if name and identifier_of(name) == picture.identifier else picture.identifier


def facts_of(stored: Picture | PoorTarget) -> dict[str, Any]:
    found: dict[str, Any] = stored.facts.get(FACTS, {})
    return found


def identifiers_of(target: Target) -> Sequence[str]:
    """Those under which its matches were counted."""
    stored = target.picture or target.poor
    assert stored is not None
    return list(dict.fromkeys((stored.identifier, *facts_of(stored).get("former", []))))


def new_facts(
    known: dict[str, Any], *, name: str | None, width: float | None, binary: str | None, former: str = ""
) -> dict[str, Any]:
    """The picture's facts with what a request says laid over them; None: it says nothing of it. binary: from
    `as_metadata`; former: the identifier that a new name takes away."""
    mine = dict(known.get(FACTS, {}))
    if name is not None:
        mine["name"] = name
    if width is not None:
        mine["width"] = width
    if binary is not None:
        mine["binary"] = binary
    if former:
        mine["former"] = [former, *(one for one in mine.get("former", []) if one != former)][:FORMER]
    return {**known, FACTS: mine}


def as_metadata(data: bytes | None) -> tuple[str, str]:
    """The picture's metadata, and the mark that tells `application_metadata` how it is written: text as it is, so that
    other dialects show it; bytes that are none in base64."""
    if data is None:
        return "", ""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if text:
        return text, ""
    written = to_base64(data)
    return written, _mark(written)


def application_metadata(picture: Picture) -> str | None:
    """In base64; None where there is none."""
    if facts_of(picture).get("binary") == _mark(picture.metadata):
        return picture.metadata
    return to_base64(picture.metadata.encode()) if picture.metadata else None


def _mark(metadata: str) -> str:
    """Fits this metadata alone: another dialect may write others."""
    return hashlib.sha256(metadata.encode()).hexdigest()[:16]
