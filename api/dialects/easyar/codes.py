"""Errors as status codes: the one table of this dialect, looked up by ancestry, and the HTTP status of each.

`FAILED` stands for failures of ours: they answer with the code that the operation has for them, their text is
kept from the client and their trace goes to the log.
"""

from __future__ import annotations

from typing import NamedTuple

from api.dialects.easyar import errors
from api.edge.refusals import nearest_row
from api.errors import BodyTooLarge, Busy, ForeignChannel, MalformedBody, Overdue, SimilarPicture
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

OK, NO_MATCH = 0, 17
FAILED = -1
TOKEN_CODES = 4_001_000
"""Codes above it are the token service's: they come with `msg`, and `result` null."""
MEANINGS = {
    0: "ok",
    1: "the appId (appKey) is missing or malformed",
    2: "the signature is wrong",
    3: "the timestamp is missing or more than 5 minutes off",
    4: "the appId (appKey) does not exist",
    6: "the token does not allow this",
    17: "no match",
    18: "matched, but the target was removed in the same moment",
    19: "recognition took too long",
    20: "recognition failed on the server",
    21: "too many requests; try again after the seconds in `Retry-After`",
    30: "failed on the server",
    403: "a similar target exists, and `allowSimilar` is 0",
    404: "no such target",
    414: "a parameter is missing or malformed; the message names it",
    417: "the image could not be added: too few features, the channel is full, or a failure on the server",
    419: "the update was refused: another target is similar",
    420: "deleting failed on the server",
    422: "the image or `meta` is too large",
    424: "enabling the target failed on the server",
    427: "not a JPEG or PNG image that can be read, or not base64",
    4001011: "the apiKey is invalid",
    4001012: "the timestamp is missing or more than 5 minutes off",
    4001015: "the signature is wrong",
    4001017: "the acl names an appId that is not the key's",
    4001018: "Authorization is not base64",
    4001019: "Authorization cannot be decrypted, or its key has a new secret",
    4001022: "the acl names no resource",
    4001024: "the token has expired",
    4001025: "no token could be made: `expires` or `acl` is malformed, or a failure on the server",
}


class Row(NamedTuple):
    """What an error looks like on the wire."""

    code: int
    http: int = 200


CODES: dict[type[ObverseError], Row] = {
    errors.WrongAppId: Row(1, 400),
    errors.WrongSignature: Row(2, 400),
    errors.WrongTimestamp: Row(3, 400),
    errors.UnknownApp: Row(4, 400),
    ChannelNotFound: Row(4, 400),  # removed, or given away, while the request waited
    ForeignChannel: Row(4, 400),
    errors.WrongToken: Row(6, 401),
    errors.TokenNotBase64: Row(4001018, 401),
    errors.TokenUnreadable: Row(4001019, 401),
    errors.TokenExpired: Row(4001024, 401),
    errors.RecordMissing: Row(18, 500),
    Busy: Row(21),
    SimilarPicture: Row(403),
    errors.UpdateRefused: Row(419),
    PictureNotFound: Row(404),
    InvalidValue: Row(414),
    MalformedBody: Row(414, 400),
    errors.WrongContentType: Row(414, 415),
    TooFewFeatures: Row(417),
    QuotaExceeded: Row(417),
    IdentifierTaken: Row(417),
    BodyTooLarge: Row(422),
    ImageTooLarge: Row(422),
    ImageError: Row(427),
    errors.NotBase64: Row(427),
    errors.TokenRefused: Row(4001025),
    errors.ApiKeyUnknown: Row(4001011),
    errors.TokenTimestampWrong: Row(4001012),
    errors.TokenSignatureWrong: Row(4001015),
    errors.AppNotAuthorised: Row(4001017),
    errors.NoResources: Row(4001022),
    Overdue: Row(FAILED),
    ObverseError: Row(FAILED),
}
FAILURES = {
    19: 408,
    20: 500,
    30: 501,
    417: 200,
    420: 200,
    424: 200,
    4001025: 200,
}
"""HTTP status of the codes that stand for failures of ours."""


def row_of(error: ObverseError, *, failed: int, overdue: int) -> Row:
    """failed, overdue: the operation's codes for a failure, and for one that took too long."""
    found = nearest_row(CODES, error)
    if found.code != FAILED:
        return found
    code = overdue if isinstance(error, Overdue) else failed
    return Row(code, FAILURES[code])


def is_failure(error: ObverseError) -> bool:
    """Whether the error is ours: logged with its trace, its text kept from the client."""
    return nearest_row(CODES, error).code == FAILED and not isinstance(error, Overdue)
