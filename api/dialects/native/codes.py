"""Errors as HTTP statuses with a word for programs: the one table of this dialect, looked up by ancestry."""

from __future__ import annotations

from dataclasses import dataclass

from api.edge.refusals import nearest_row
from api.errors import (
    BodyTooLarge,
    Busy,
    ForeignChannel,
    ImportNotFound,
    MalformedBody,
    NotFetched,
    RateLimited,
    WrongCredentials,
)
from engine.errors import (
    ChannelNotFound,
    IdentifierTaken,
    ImageError,
    ImageTooLarge,
    InvalidValue,
    ObverseError,
    PictureNotFound,
    QuotaExceeded,
    TooFewFeatures,
)


@dataclass(frozen=True)
class Row:
    """How an error is told."""

    status: int
    """Of HTTP."""
    word: str
    """The field `error`."""
    about: str
    """What it is, for people."""


FAILED = Row(500, "failed", "It failed on the server; `message` holds the request's id.")
ROWS: dict[type[ObverseError], Row] = {
    InvalidValue: Row(400, "invalid_value", "A value is malformed, or missing; `message` names it and the rule."),
    MalformedBody: Row(400, "malformed_body", "The body is not what its content type says."),
    WrongCredentials: Row(401, "wrong_credentials", "The key pair is wrong, missing, or may not do this."),
    ForeignChannel: Row(403, "foreign_channel", "The channel belongs to another user."),
    ChannelNotFound: Row(404, "channel_not_found", "There is no such channel."),
    ImportNotFound: Row(404, "import_not_found", "There is no such import."),
    PictureNotFound: Row(404, "picture_not_found", "There is no such picture."),
    IdentifierTaken: Row(409, "identifier_taken", "The channel has a picture of this identifier."),
    QuotaExceeded: Row(409, "channel_full", "The channel holds as many pictures as it may."),
    BodyTooLarge: Row(413, "too_large", "More was sent than is accepted."),
    ImageTooLarge: Row(413, "image_too_large", "An image has too many pixels or pieces."),
    ImageError: Row(422, "not_an_image", "An image cannot be read."),
    TooFewFeatures: Row(422, "too_few_features", "An image shows too little; `message` says what it lacks."),
    NotFetched: Row(422, "not_fetched", "The image behind an address cannot be had."),
    RateLimited: Row(429, "rate_limited", "Too many requests; `Retry-After` says when to try again."),
    Busy: Row(503, "busy", "Too much to do; `Retry-After` says when to try again."),
    ObverseError: FAILED,
}


def row_of(error: ObverseError) -> Row:
    """The row of the nearest class in the error's ancestry."""
    return nearest_row(ROWS, error)
