"""Errors as result codes and HTTP statuses: two tables, looked up by ancestry, because management answers JSON and the
query often text. Rows follow the vendor's service, whose statuses are not always what one would expect.
"""

from __future__ import annotations

from typing import NamedTuple

from api.dialects.vuforia import errors
from api.edge.refusals import nearest_row
from api.errors import BodyTooLarge, Busy, ForeignChannel, MalformedBody, Overdue
from engine.errors import (
    ChannelNotFound,
    IdentifierTaken,
    ImageError,
    ImageTooLarge,
    InvalidValue,
    ObverseError,
    PictureNotFound,
    QuotaExceeded,
)

SUCCESS, CREATED, FAIL = "Success", "TargetCreated", "Fail"
MEANINGS = {
    SUCCESS: "ok",
    CREATED: "ok: the target was added",
    "AuthenticationFailure": "no Authorization, a wrong signature, or no content type with a body",
    FAIL: "something is malformed or missing, or a failure on the server; the status tells them apart",
    "RequestTimeTooSkewed": "the Date is too far from the server's clock",
    "TargetNameExist": "another target has this name",
    "UnknownTarget": "no such target",
    "BadImage": "not a JPEG or PNG that can be read, or not in grey or RGB",
    "ImageTooLarge": "the image has too many bytes or pixels",
    "MetadataTooLarge": "the metadata has too many bytes",
    "TargetStatusProcessing": "the target is being processed",
    "TargetStatusNotSuccess": "the target is being processed, or has failed",
    "ProjectInactive": "management: the database is switched off",
    "InactiveProject": "query: the database is switched off",
    "TargetQuotaReached": "the channel is full",
    "TooManyRequests": "try again after the seconds in `Retry-After`",
}
"""All result codes that are ever sent."""


class Row(NamedTuple):
    """What an error looks like on the wire."""

    http: int
    code: str = ""
    """Empty: it is not answered in JSON."""
    text: str = ""
    """Content type of the answer where that is the error's own text, or a page of ours; empty: no body."""
    challenge: str = ""
    """The header WWW-Authenticate."""
    spaced: bool = False
    """The vendor writes a space behind the first colon of the JSON."""


FAILURE = Row(500, FAIL)
_JETTY = "text/plain;charset=iso-8859-1"
HTML, _PLAIN_HTML = "text/html;charset=iso-8859-1", "text/html"
_MISLABELLED = "application/json"
"""The vendor's texts about the form come under this type."""
MANAGEMENT: dict[type[ObverseError], Row] = {
    errors.HeaderTooLong: Row(400, text=HTML),
    errors.AuthorizationMissing: Row(401, "AuthenticationFailure"),
    errors.AuthorizationMalformed: Row(400, FAIL),
    errors.UnknownKey: Row(400, FAIL),
    ChannelNotFound: Row(400, FAIL),  # removed, or given away, while the request waited: so is its key
    ForeignChannel: Row(400, FAIL),
    errors.WrongSignature: Row(401, "AuthenticationFailure"),
    errors.ContentTypeMissing: Row(401, "AuthenticationFailure"),
    errors.ProjectInactive: Row(403, "ProjectInactive"),
    errors.DateMissing: Row(400, FAIL),
    errors.DateMalformed: Row(400, FAIL),
    errors.DateSkewed: Row(403, "RequestTimeTooSkewed"),
    PictureNotFound: Row(404, "UnknownTarget"),
    errors.UnwantedBody: Row(400),
    errors.BodyMissing: Row(500, FAIL),
    InvalidValue: Row(400, FAIL),
    errors.NotBase64: Row(422, FAIL),
    errors.NameOutOfRange: Row(500, FAIL),
    IdentifierTaken: Row(403, "TargetNameExist"),
    QuotaExceeded: Row(403, "TargetQuotaReached"),
    errors.UnfitImage: Row(422, "BadImage"),
    ImageError: Row(422, "BadImage"),
    ImageTooLarge: Row(422, "ImageTooLarge"),
    BodyTooLarge: Row(422, "ImageTooLarge"),
    errors.MetadataTooLarge: Row(422, "MetadataTooLarge"),
    errors.TargetProcessing: Row(403, "TargetStatusProcessing"),
    errors.TargetNotSuccess: Row(403, "TargetStatusNotSuccess"),
    Busy: Row(429, "TooManyRequests"),
    Overdue: Row(504, FAIL),
    MalformedBody: Row(408),  # it did not come in time
    ObverseError: FAILURE,
}
QUERY: dict[type[ObverseError], Row] = {
    errors.HeaderTooLong: Row(400, text=HTML),
    errors.AuthorizationMissing: Row(401, text=_JETTY, challenge="KWS"),
    errors.AuthorizationMalformed: Row(401, text=_JETTY, challenge="KWS"),
    errors.UnknownKey: Row(401, "AuthenticationFailure", challenge="VWS"),
    ChannelNotFound: Row(401, "AuthenticationFailure", challenge="VWS"),
    ForeignChannel: Row(401, "AuthenticationFailure", challenge="VWS"),
    errors.WrongSignature: Row(401, "AuthenticationFailure", challenge="VWS"),
    errors.ProjectInactive: Row(403, "InactiveProject", spaced=True),
    errors.NotAcceptable: Row(406),
    errors.DateMissing: Row(400, text=_JETTY),
    errors.DateMalformed: Row(401, text=_JETTY, challenge="KWS"),
    errors.DateSkewed: Row(403, "RequestTimeTooSkewed"),
    errors.ContentTypeMissing: Row(400, text=HTML),
    errors.NotMultipart: Row(415),
    errors.BoundaryMissing: Row(400, text=_MISLABELLED),
    errors.DispositionMissing: Row(400, text=_MISLABELLED),
    errors.UnreadableParts: Row(400, text=_MISLABELLED),
    errors.UnknownParameters: Row(400, text=_MISLABELLED),
    errors.ImageMissing: Row(400, text=_MISLABELLED),
    errors.WrongCount: Row(400, text=_MISLABELLED),
    errors.WrongTargetData: Row(400, text=_MISLABELLED),
    ImageError: Row(422, "BadImage", spaced=True),
    BodyTooLarge: Row(413, text=_PLAIN_HTML),
    Busy: Row(429, "TooManyRequests"),
    Overdue: Row(504, FAIL),
    MalformedBody: Row(504),  # it did not come in time
    ObverseError: FAILURE,
}
Table = dict[type[ObverseError], Row]


def row_of(table: Table, error: ObverseError) -> Row:
    return nearest_row(table, error)


def is_failure(table: Table, error: ObverseError) -> bool:
    """Whether the error is ours: logged with its trace, its text kept from the client."""
    return row_of(table, error) is FAILURE
