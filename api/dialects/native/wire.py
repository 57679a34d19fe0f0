"""What goes over the wire: answers as structures."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from api.rules.changes import Kind
from api.rules.imports import Item, Job, State
from engine.recognise.answer import Match, Recognition

Quad = Annotated[
    list[tuple[float, float]],
    Meta(description="Corners of the picture in pixels of the upright image, clockwise from the picture's top left."),
]
Homography = Annotated[
    list[tuple[float, float, float]],
    Meta(
        description="Three rows of three numbers: from pixels of the picture, without its plain margins, to those of "
        "the upright image."
    ),
]


class Refusal(msgspec.Struct, kw_only=True):
    """What every error answers."""

    error: Annotated[str, Meta(description="A word for programs.")]
    message: Annotated[str, Meta(description="What went wrong, for people.")]


class Compared(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Whether an image shows a picture. All but `same`, `because` and `timings_ms` is left out where no outline
    agrees."""

    same: Annotated[bool, Meta(description="Whether it surely does: the ratio reaches the threshold.")]
    matchratio: Annotated[float, Meta(ge=0, le=100, description="Percent.")] | None = None
    because: Annotated[str, Meta(description="Why, in words.")]
    reason: Annotated[str, Meta(description="Why, in one word for programs.")] | None = None
    inliers: Annotated[int, Meta(description="Points that agree.")] | None = None
    quad: Quad | None = None
    homography: Homography | None = None
    cells: (
        Annotated[
            list[str],
            Meta(
                description="The picture in cells, a row of letters for each row of them: `=` the same print, `x` "
                "another one, `?` not to be told."
            ),
        ]
        | None
    ) = None
    timings_ms: dict[str, float]


class Changed(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One entry of the log."""

    seq: Annotated[int, Meta(description="The log's own number: it grows.")]
    change: Kind
    channel: str
    picture: Annotated[int, Meta(description="The picture's number: another image gets another one.")]
    identifier: Annotated[str, Meta(description="Its name now; left out where it is gone.")] | None = None
    uuid: Annotated[str, Meta(description="Its UUID; left out where it is gone.")] | None = None


class Changes(msgspec.Struct, kw_only=True):
    """A page of the log."""

    changes: list[Changed]
    next: Annotated[int, Meta(description="The `after` of the next page.")]
    more: Annotated[bool, Meta(description="Whether that page is there already.")]


class Import(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far an import is."""

    id: Annotated[str, Meta(description="Its number.")]
    channel: str
    state: State
    reason: Annotated[str, Meta(description="Why it failed.")] = ""
    total: Annotated[int, Meta(description="Pictures; left out while it is not known.")] | None = None
    added: int
    present: Annotated[int, Meta(description="Pictures that were there already, of the very same file.")]
    refused: int


class Imports(msgspec.Struct, kw_only=True):
    """The user's imports, latest first."""

    imports: list[Import]


class Report(msgspec.Struct, kw_only=True):
    """An import, and a page of what became of each picture."""

    told: Annotated[Import, Meta(description="How far it is.")] = msgspec.field(name="import")
    items: list[Item]
    next: Annotated[int, Meta(description="The `after` of the next page.")]
    more: Annotated[bool, Meta(description="Whether more is there already, or still to come.")]


def of_job(job: Job) -> Import:
    return Import(
        id=job.id,
        channel=job.channel,
        state=job.state,
        reason=job.reason,
        total=job.total,
        added=job.added,
        present=job.present,
        refused=job.refused,
    )


def compared(found: Recognition) -> Compared:
    """A comparison as it is told."""
    timings = {stage: round(ms, 2) for stage, ms in found.timings_ms.items()}
    if not found.results:
        return Compared(same=False, because="no outline agrees", timings_ms=timings)
    match: Match = found.results[0]
    return Compared(
        same=found.answer is not None,
        matchratio=round(match.match_ratio, 2),
        because=match.because,
        reason=match.reason,
        inliers=match.inliers,
        quad=[(round(float(x), 2), round(float(y), 2)) for x, y in match.quad],
        homography=[(float(a), float(b), float(c)) for a, b, c in match.H_picture_to_photo],
        cells=match.letters,
        timings_ms=timings,
    )
