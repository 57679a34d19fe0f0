"""Targets: a picture in this dialect's terms, and what a request says of one.

The UUID is the targetId, `metadata` is `meta`, the level gives the grade. What only this dialect knows (name, size,
allowSimilar, unknown string fields) stands in the picture's facts under "easyar".
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable
from dataclasses import astuple, dataclass, field, fields
from typing import Any

from api.accounts.apps import App
from api.dialects.easyar.parameters import SIGNING, Parameters
from api.errors import BodyTooLarge
from api.rules.pictures import Grades
from api.service import Service
from engine.catalogue import Picture, PictureChanges
from engine.errors import InvalidValue

FACTS = "easyar"
TYPE = "ImageTarget"
_NAME = re.compile(r"[\x20-\x7e]{1,64}")
_SIZE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_OWN = SIGNING | {"image", "name", "size", "type", "meta", "active", "allowSimilar"}
_TOLD = {"targetId", "target", "modified", "date", "grade", "trackingImage"}
"""Other names under which answers tell of a target. Sent by a client, who had them from an answer, they are ignored."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a request says of a target; None: it says nothing."""

    name: str | None = None
    """1 to 64 characters of printable ASCII."""
    size: str | None = None
    """Width in centimetres, as it was written."""
    type: str | None = None
    """Always TYPE."""
    meta: str | None = field(default=None, repr=False)
    """Any text; it becomes the picture's metadata."""
    active: bool | None = None
    """False hides the target from recognition."""
    allow_similar: bool | None = None
    """True lets it be similar to another target."""
    others: dict[str, str] = field(default_factory=dict, repr=False)
    """String fields that we do not know; they are kept as they are."""
    without: frozenset[str] = frozenset()
    """Of such fields those that were sent as null, to be taken away."""
    max_others_bytes: int
    """What all of them may hold together, the picture's older ones included."""

    def facts(self, known: dict[str, Any]) -> dict[str, Any]:
        """The picture's facts, with these laid over them. Raises BodyTooLarge where its own fields become too many."""
        mine = known.get(FACTS, {})
        given = {"name": self.name, "size": self.size, "allowSimilar": self.allow_similar}
        given = {name: value for name, value in given.items() if value is not None}
        others = {**mine.get("others", {}), **self.others}
        others = {name: value for name, value in others.items() if name not in self.without}
        # An update that adds nothing must not fail for what older versions let in.
        if self.others and sum(len(n.encode()) + len(v.encode()) for n, v in others.items()) > self.max_others_bytes:
            raise BodyTooLarge("fields of your own, all of the target's together", self.max_others_bytes)
        return {**known, FACTS: {**mine, **given, "others": others}}

    def changes(self, picture: Picture) -> PictureChanges:
        """What `Recognizer.update` shall change of the picture."""
        changed: PictureChanges = {"facts": self.facts(picture.facts)}
        if self.meta is not None:
            changed["metadata"] = self.meta
        if self.active is not None:
            changed["active"] = self.active
        return changed


def wanted(parameters: Parameters, *, max_meta_bytes: int) -> Wanted:
    """Raises InvalidValue for a field outside its rule, BodyTooLarge for a `meta` that is too long."""
    meta = parameters.given("meta")
    others = {n: v for n, v in parameters.values.items() if is_clients_own(n) and type(v) is str}
    if meta is not None and len(meta.encode()) > max_meta_bytes:
        raise BodyTooLarge("meta", max_meta_bytes)
    if sum(len(name.encode()) + len(value.encode()) for name, value in others.items()) > max_meta_bytes:
        raise BodyTooLarge("fields of your own", max_meta_bytes)
    size = _checked(parameters, "size", lambda v: bool(_SIZE.fullmatch(v)) and float(v) > 0, "centimetres above 0")
    return Wanted(
        name=_checked(parameters, "name", _NAME.fullmatch, "1 to 64 English letters, digits, punctuation"),
        size=size,
        type=_checked(parameters, "type", TYPE.__eq__, TYPE),
        meta=meta,
        active=_switch(parameters, "active"),
        allow_similar=_switch(parameters, "allowSimilar"),
        others=others,
        without=frozenset(name for name in parameters.nulls if is_clients_own(name)),
        max_others_bytes=max_meta_bytes,
    )


def is_clients_own(name: str) -> bool:
    """Whether a field means nothing to us, so that it is kept as it is."""
    return name not in _OWN and name not in _TOLD and name not in RATES


def _checked(parameters: Parameters, name: str, fits: Callable[[str], Any], rule: str) -> str | None:
    value = parameters.given(name)
    if value is not None and not fits(value):
        raise InvalidValue(name, rule)
    return value if value is None else str(value)


def _switch(parameters: Parameters, name: str) -> bool | None:
    value = _checked(parameters, name, ("0", "1").__contains__, '"0" or "1"')
    return None if value is None else value == "1"


def allows_similar(picture: Picture) -> bool:
    return bool(picture.facts.get(FACTS, {}).get("allowSimilar", False))


def listed(app: App, picture: Picture) -> dict[str, Any]:
    """A target as lists show it: without its image and its grades."""
    facts = picture.facts.get(FACTS, {})
    return {
        **{name: value for name, value in facts.get("others", {}).items() if is_clients_own(name)},
        "targetId": picture.uuid,
        "name": facts.get("name", picture.identifier),
        "size": facts.get("size", "20"),
        "meta": picture.metadata,
        "type": TYPE,
        "appKey": app.app_id,
        "active": "1" if picture.active else "0",
        "modified": int(picture.updated_at * 1000),
    }


def shown(service: Service, app: App, picture: Picture, *, with_image: bool = True) -> dict[str, Any]:
    """The whole target. Decodes the kept picture: 5 to 15 ms. Raises PictureNotFound."""
    target = {
        **listed(app, picture),
        "allowSimilar": "1" if allows_similar(picture) else "0",
        "date": dt.datetime.fromtimestamp(picture.updated_at, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
        "grade": str(grade_of(picture.level)),
        **rates(service.pictures.grades(picture)),
    }
    if with_image:
        target["trackingImage"] = base64.b64encode(service.pictures.tracking_image(picture) or b"").decode()
    return target


def grade_of(level: int) -> int:
    """0 (best) to 4 of a level from 5 (best) to 1."""
    return 5 - level


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


RATES = tuple(_camel(part.name) for part in fields(Grades))


def rates(grades: Grades) -> dict[str, int]:
    """The grades under this dialect's names."""
    return dict(zip(RATES, astuple(grades), strict=True))
