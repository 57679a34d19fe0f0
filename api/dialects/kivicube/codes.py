"""Errors as return codes: the one table of this dialect, looked up by ancestry.

20015 is also the code of everything without a row of its own: a failure that nobody foresaw is "busy" to a
client, which may try again, and a trace with the request's id in the log.
"""

from __future__ import annotations

from api.edge.refusals import nearest_row
from api.errors import (
    AccountError,
    BodyTooLarge,
    Busy,
    ForeignChannel,
    MalformedBody,
    NotFetched,
    NotMultipart,
    ServiceError,
    SettingError,
    StatisticsError,
    WrongCredentials,
)
from engine.errors import (
    ChannelExists,
    ChannelNotFound,
    GalleryError,
    IdentifierTaken,
    ImageError,
    ImageTooLarge,
    InvalidValue,
    ModelError,
    ObverseError,
    PictureNotFound,
    QuotaExceeded,
    StorageError,
    TooFewFeatures,
)

OK = 0
MEANINGS = {
    0: "ok",
    20001: "username and secretkey do not fit together, or may not do this",
    20003: "the channel does not exist",
    20004: "the channel belongs to another user",
    20005: "a multipart stream with the part `image` is needed",
    20006: "the image is too large, in bytes or in pixels",
    20007: "not a JPEG or PNG image that can be read",
    20010: "a value is malformed; `message` names it and the rule",
    20012: "the channel is full",
    20013: "the image has too few features",
    20014: "the identifier does not exist",
    20015: "busy or failed: try again later; `message` holds the request's id",
    20016: "the identifier is taken",
}
BUSY = 20015
CODES: dict[type[ObverseError], int] = {
    WrongCredentials: 20001,
    ChannelNotFound: 20003,
    ForeignChannel: 20004,
    NotMultipart: 20005,
    BodyTooLarge: 20006,
    ImageTooLarge: 20006,
    ImageError: 20007,
    MalformedBody: 20010,
    InvalidValue: 20010,
    NotFetched: 20010,
    QuotaExceeded: 20012,
    TooFewFeatures: 20013,
    PictureNotFound: 20014,
    Busy: BUSY,
    IdentifierTaken: 20016,
    # No request should meet these; when one does, it is our failure.
    AccountError: BUSY,
    ChannelExists: BUSY,
    GalleryError: BUSY,
    ModelError: BUSY,
    ServiceError: BUSY,
    SettingError: BUSY,
    StatisticsError: BUSY,
    StorageError: BUSY,
    ObverseError: BUSY,
}


def code_of(error: ObverseError) -> int:
    """The code of the nearest class in the error's ancestry."""
    return nearest_row(CODES, error)


def is_failure(error: ObverseError) -> bool:
    """Whether the error is ours: logged with its trace, its text kept from the client."""
    return code_of(error) == BUSY and not isinstance(error, Busy)
