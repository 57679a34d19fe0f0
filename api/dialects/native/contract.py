"""The calls as a table, of which the OpenAPI document is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from api.edge.body import SMALL_FIELD_BYTES, FormRules
from api.edge.document import Value
from api.settings import Settings

MOST_CHANGES = 1_000
"""Entries of the log in one answer."""
MOST_ITEMS = 1_000
"""Pictures in one answer of an import's report."""
_FORM_ERRORS = (400, 401, 403, 404, 413, 422, 429, 500, 503)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One row of the contract."""

    name: str
    """Its `operationId`."""
    about: str
    """What it does, for people."""
    fields: tuple[Value, ...] = ()
    """Of its form."""
    parameters: tuple[Value, ...] = ()
    """Of its address."""
    body: Value | None = None
    """What it takes that is no form."""
    statuses: tuple[int, ...] = field(default=_FORM_ERRORS)
    """Of HTTP, beside its success."""
    example: Any = None
    """An answer."""
    answers: str = ""
    """Content type of a success; empty: JSON."""


def rules(settings: Settings) -> FormRules:
    """Of a comparison's form."""
    return FormRules(
        fields={value.name: SMALL_FIELD_BYTES for value in COMPARE.fields if value.kind != "file"},
        files=tuple(value.name for value in COMPARE.fields if value.kind == "file"),
        max_file_bytes=settings.max_image_bytes,
        max_drain_bytes=settings.max_drain_bytes,
        timeout_seconds=settings.body_timeout_seconds,
        stall_seconds=settings.body_stall_seconds,
        retry_after_seconds=settings.retry_after_seconds,
    )


_KEYS = (
    Value(name="username", about="The user's key, unless it is sent as HTTP Basic.", example="key"),
    Value(name="secretkey", about="The user's secret, unless it is sent as HTTP Basic.", example="secret"),
)
_CHANNEL = Value(name="channel", about="Only this channel; without it all channels of the user.", example="books")

COMPARE = Call(
    name="Compare",
    about="Tells whether an image shows a picture, how sure that is, where it lies, and why. The picture is sent, too, "
    "or it is a stored one, named by `channel` and `identifier`. Where the setting `image_url` allows it, `image_url` "
    "and `picture_url` stand for the files. A read-only pair will do. Nothing is stored, and nothing is counted.",
    fields=(
        *_KEYS,
        Value(name="image", kind="file", about="The photo, or a picture."),
        Value(
            name="image_url", about="Where the server fetches it from, instead.", example="https://example.com/a.jpg"
        ),
        Value(name="picture", kind="file", about="The picture that it may show, as flat as it is."),
        Value(name="picture_url", about="Where the server fetches it from, instead."),
        Value(name="channel", about="The channel of a stored picture.", example="books"),
        Value(name="identifier", about="The identifier of a stored picture.", example="cover.001"),
    ),
    example={
        "same": True,
        "matchratio": 99.2,
        "because": "what is seen of it agrees",
        "reason": "agrees",
        "inliers": 61,
        "quad": [[102.4, 80.1], [501.9, 92.7], [488.0, 640.3], [95.2, 625.8]],
        "homography": [[1.1, -0.02, 102.9], [0.03, 1.12, 80.6], [0.0, 0.0, 1.0]],
        "cells": ["==", "?="],
        "timings_ms": {"decode": 4.1, "describe": 60.2},
    },
)
CHANGES = Call(
    name="Changes",
    about="What was added, changed and removed since the log's number `after`, oldest first: for who keeps a copy of "
    "the gallery, and asks from time to time. Go on with `next`, at once where `more` is true. A replaced image is a "
    "removal and an addition. A channel that was removed is not told any more. The full pair is needed.",
    parameters=(
        Value(name="after", kind="integer", about="The number up to which all is known; 0: nothing is.", example=0),
        _CHANNEL,
        Value(name="limit", kind="integer", about=f"Most entries, 1 to {MOST_CHANGES}.", example=100),
    ),
    statuses=(400, 401, 403, 404, 429, 500, 503),
    example={
        "changes": [
            {
                "seq": 7,
                "change": "added",
                "channel": "books",
                "picture": 5,
                "identifier": "cover.001",
                "uuid": "6f1a3a52-6a0e-4f0e-9d62-5b0d2c1f7a11",
            },
            {"seq": 8, "change": "removed", "channel": "books", "picture": 3},
        ],
        "next": 8,
        "more": False,
    },
)
_IMPORT = {
    "id": "0c2d6f1a3a526a0e4f0e9d625b0d2c1f",
    "channel": "books",
    "state": "running",
    "total": 1200,
    "added": 310,
    "present": 0,
    "refused": 1,
}
_ITEM = {"name": "scans/blank.jpg", "identifier": "blank", "state": "refused", "error": "TooFewFeatures", "reason": "…"}
_ADDED = {"name": "scans/cover.jpg", "identifier": "cover", "state": "added", "level": 4}
TAKE_IMPORT = Call(
    name="ImportPictures",
    about="Adds many pictures: a tar (not compressed) or zip of picture files, perhaps with lists `manifest.jsonl` "
    "of JSON lines that tell their `file`, `identifier`, `metadata`, `matchratio`, `active` and `uuid`; or, as "
    "`application/x-ndjson` and where the setting `image_url` allows it, such lines with `url`. Once answered it is "
    "on disk, and goes on also after the server was killed. Ask `/v1/imports/{number}` how far it is. The full pair "
    "is needed.",
    parameters=(Value(name="channel", about="Where they go.", required=True, example="books"),),
    body=Value(name="body", kind="file", about="The archive, or the list."),
    statuses=(400, 401, 403, 404, 413, 429, 500, 503),
    example={**_IMPORT, "state": "waiting", "added": 0, "refused": 0},
)
LIST_IMPORTS = Call(
    name="ListImports",
    about="The user's imports, latest first. The full pair is needed.",
    statuses=(401, 429, 500, 503),
    example={"imports": [_IMPORT]},
)
SHOW_IMPORT = Call(
    name="ShowImport",
    about="How far an import is, and what became of each picture. Go on with `next` while `more` is true.",
    parameters=(
        Value(name="after", kind="integer", about="Lines of the report that are known already.", example=0),
        Value(name="limit", kind="integer", about=f"Most lines, 1 to {MOST_ITEMS}.", example=100),
    ),
    statuses=(400, 401, 404, 429, 500, 503),
    example={"import": _IMPORT, "items": [_ADDED, _ITEM], "next": 2, "more": True},
)
STOP_IMPORT = Call(
    name="StopImport",
    about="Ends an import after the picture that is being added; what was added stays.",
    statuses=(401, 404, 429, 500, 503),
    example=_IMPORT,
)
EXPORT = Call(
    name="ExportPictures",
    about="All of a channel's pictures as a tar: the kept JPEGs, which have at most 640 pixels, and lists of JSON "
    "lines that tell of each. It can be imported again. The full pair is needed.",
    parameters=(Value(name="channel", about="Which one.", required=True, example="books"),),
    statuses=(401, 403, 404, 429, 500, 503),
    answers="application/x-tar",
)
