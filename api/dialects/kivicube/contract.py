"""The contract as a table: each method's fields and the codes it may answer. Bodies are read by it and the
OpenAPI document is made of it, so the two cannot disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from api.dialects.kivicube import methods
from api.edge.body import SMALL_FIELD_BYTES, FormRules
from api.settings import Settings
from engine.catalogue import rules

Kind = Literal["text", "number", "integer", "file"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a form, as the document shows it."""

    name: str
    """Its name on the wire."""
    required: bool = True
    """For the document: the order of checks decides what a missing one answers."""
    kind: Kind = "text"
    """Its type in the document."""
    about: str
    """What it is, for people."""
    pattern: str | None = None
    """A regular expression of what is legal."""
    example: str | None = None
    """A value that is."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One row of the contract."""

    name: str
    """Its path."""
    about: str
    """What it does, for people."""
    call: methods.Call
    """What does it."""
    fields: tuple[Field, ...]
    """What its form may hold."""
    published: tuple[int, ...]
    """Codes that the vendor lists."""
    more: tuple[int, ...]
    """Codes that our reading of the gaps adds, see docs/kivicube-ambiguities.md."""

    @property
    def file(self) -> str | None:
        return next((field.name for field in self.fields if field.kind == "file"), None)

    @property
    def codes(self) -> list[int]:
        return sorted({*self.published, *self.more})

    def rules(self, settings: Settings) -> FormRules:
        limits = {field.name: SMALL_FIELD_BYTES for field in self.fields if field.kind != "file"}
        if "metadata" in limits:
            limits["metadata"] = settings.max_metadata_bytes
        return FormRules(
            fields=limits,
            files=(self.file,) if self.file else (),
            max_file_bytes=settings.max_image_bytes,
            max_drain_bytes=settings.max_drain_bytes,
            timeout_seconds=settings.body_timeout_seconds,
            stall_seconds=settings.body_stall_seconds,
            retry_after_seconds=settings.retry_after_seconds,
        )


USERNAME = Field(name="username", about="The user's key.")
SECRET = Field(name="secretkey", about="The user's secret.")
CHANNEL = Field(name="channel", about="The channel's name.", pattern=f"^{rules.CHANNEL_NAME.pattern}$", example="books")
IDENTIFIER = Field(
    name="identifier", about="The picture's name.", pattern=f"^{rules.IDENTIFIER.pattern}$", example="cover.001"
)
METADATA = Field(
    name="metadata", required=False, about="Any text, usually JSON; kept byte for byte, never parsed. At most 2 MB."
)
RATIO = Field(
    name="matchratio",
    required=False,
    kind="number",
    about="Least match ratio of an answer: above 0 up to 1 a fraction, up to 100 percent.",
    example="60",
)


def _optional(field: Field, about: str) -> Field:
    return Field(name=field.name, required=False, about=about, pattern=field.pattern, example=field.example)


def _image(about: str) -> tuple[Field, Field]:
    return (
        Field(name="image", required=False, kind="file", about=f"{about}, JPEG or PNG by content."),
        Field(
            name="image_url",
            required=False,
            about="Instead of `image`, where the setting `image_url` allows it: where the server fetches it from.",
            example="https://example.com/cover.jpg",
        ),
    )


def _date(name: str, about: str) -> Field:
    return Field(name=name, about=about, pattern="^[0-9]{4}([0-9]{2}([0-9]{2})?)?$", example="2026")


ADD_IMAGE = Method(
    name="AddImage",
    about="Adds a picture to a channel. Once answered it is durable, and the next FindImage can find it.",
    call=methods.add_image,
    fields=(USERNAME, SECRET, CHANNEL, IDENTIFIER, METADATA, RATIO, *_image("The picture")),
    published=(0, 20001, 20003, 20004, 20005, 20006, 20007, 20010, 20012, 20013, 20016),
    more=(20015,),
)
REMOVE_IMAGE = Method(
    name="RemoveImage",
    about="Removes a picture. One that does not exist counts as removed.",
    call=methods.remove_image,
    fields=(USERNAME, SECRET, CHANNEL, IDENTIFIER),
    published=(0, 20001, 20003, 20004),
    more=(20010, 20014, 20015),
)
GET_IMAGES = Method(
    name="GetImages",
    about="Lists a channel by identifier, one page at a time: add the length of `images` to `position` until it "
    "reaches `totalcount`.",
    call=methods.get_images,
    fields=(
        USERNAME,
        SECRET,
        CHANNEL,
        Field(name="position", required=False, kind="integer", about="Where the page begins, from 0.", example="0"),
    ),
    published=(0, 20001, 20003, 20004),
    more=(20010, 20015),
)
GET_IMAGE = Method(
    name="GetImage",
    about="Tells a picture's facts. Credentials are verified when given; without them the setting "
    "`public_getimage` decides.",
    call=methods.get_image,
    fields=(
        _optional(USERNAME, "The user's key."),
        _optional(SECRET, "The user's secret."),
        CHANNEL,
        IDENTIFIER,
    ),
    published=(0, 20001, 20003, 20004, 20014),
    more=(20010, 20015),
)
UPDATE_IMAGE_INFO = Method(
    name="UpdateImageInfo",
    about="Changes a picture's metadata or least match ratio. Absent fields stay; empty metadata is cleared.",
    call=methods.update_image_info,
    fields=(USERNAME, SECRET, CHANNEL, IDENTIFIER, RATIO, METADATA),
    published=(0, 20001, 20003, 20004, 20014),
    more=(20010, 20015),
)
STATISTICS = Method(
    name="Statistics",
    about="Counts answered matches by day: of each channel, or of each picture of the channel asked for.",
    call=methods.statistics,
    fields=(
        USERNAME,
        SECRET,
        _date("startdate", "First day: yyyy, yyyyMM or yyyyMMdd."),
        _date("enddate", "Last day, inclusive: yyyy, yyyyMM or yyyyMMdd."),
        _optional(CHANNEL, "Only this channel, told by picture."),
        _optional(IDENTIFIER, "Only this picture."),
    ),
    published=(0, 20001, 20003, 20004, 20014),
    more=(20010, 20015),
)
FIND_IMAGE = Method(
    name="FindImage",
    about="Tells which picture a photo shows. Without `identifier` in the answer, none matched.",
    call=methods.find_image,
    fields=(
        USERNAME,
        SECRET,
        *_image("The photo"),
        _optional(CHANNEL, "Only this channel; without it all channels of the user."),
        Field(name="several", required=False, kind="integer", about="1: tell every picture that the photo shows."),
        Field(name="explain", required=False, kind="integer", about="1: also tell match ratio, outline and times."),
        Field(
            name="mirrored",
            required=False,
            kind="integer",
            about="1: where nothing is found, ask the photo's mirror image, too, and tell whether it was that.",
        ),
        Field(name="limit", required=False, kind="integer", about="Also tell so many candidates, best first."),
    ),
    published=(0, 20001, 20003, 20004, 20006, 20007, 20013),
    more=(20005, 20010, 20015),
)
METHODS = (ADD_IMAGE, REMOVE_IMAGE, GET_IMAGES, GET_IMAGE, UPDATE_IMAGE_INFO, STATISTICS, FIND_IMAGE)
