"""One request, and the checks that both services make of who sent it, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from api.accounts.databases import AccessPair, Database
from api.dialects.vuforia import signing
from api.dialects.vuforia.errors import DateMissing, HeaderTooLong, ProjectInactive, UnknownKey, WrongSignature
from api.dialects.vuforia.rates import Rates
from api.service import Service

MOUNT = "/vuforia"
"""Where the calls are found beside the other dialects."""
LONGEST_HEADER = 8_190
"""Bytes of one line, in the vendor's service."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was sent, and what answers it."""

    service: Service
    rates: Rates
    call: str
    """The call's name."""
    verb: str
    path: str
    """As it was sent, below a proxy's prefix."""
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name."""
    body: bytearray = field(repr=False)
    client: str
    """Whose request it is (`client_of`)."""
    target_id: str = ""
    """What the path names; empty where it names no target."""

    @property
    def paths(self) -> tuple[str, ...]:
        """What a client may have signed: the path with and without each prefix that a base URL may hold."""
        bare = self.path.removeprefix(MOUNT)
        prefix = self.service.settings.path_prefix
        return tuple(dict.fromkeys((bare, MOUNT + bare, prefix + bare, prefix + MOUNT + bare)))

    @property
    def content_type(self) -> str:
        """Empty where none was sent."""
        return self.headers.get("content-type", "")


@dataclass(frozen=True, kw_only=True)
class Side:
    """What differs between management and query."""

    database: Callable[[Service, str], Database | None]
    """By an access key."""
    pair: Callable[[Database], AccessPair]
    layouts: tuple[str, ...]
    """Of the Date."""
    minutes: int
    """The Date is less than this off."""
    content_types: Callable[[str], tuple[str, ...]]
    """What may have been signed, of the content type that was sent."""


MANAGEMENT_SIDE = Side(
    database=lambda service, key: service.databases.by_server_key(key),
    pair=lambda database: database.server,
    layouts=signing.MANAGEMENT_DATES,
    minutes=signing.MANAGEMENT_MINUTES,
    content_types=lambda sent: (sent, _bare(sent)),
)
QUERY_SIDE = Side(
    database=lambda service, key: service.databases.by_client_key(key),
    pair=lambda database: database.client,
    layouts=signing.QUERY_DATES,
    minutes=signing.QUERY_MINUTES,
    content_types=lambda sent: ("multipart/form-data", _bare(sent)),
)


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0]


def who(request: Request, side: Side) -> Database:
    """The database whose key signed. Raises HeaderTooLong, AuthorizationMissing, AuthorizationMalformed, UnknownKey,
    RateLimited, WrongSignature."""
    if request.service.settings.vuforia_strict_headers:
        check_headers(request)
    given = signing.read_authorization(request.headers.get("authorization"))
    database = side.database(request.service, given.access_key)
    if database is None:
        raise UnknownKey
    request.rates.take(given.access_key, call=request.call)
    if not signing.is_signed(
        given,
        side.pair(database).secret_key,
        verb=request.verb,
        body=request.body,
        content_types=side.content_types(request.content_type),
        date=request.headers.get("date", ""),
        paths=request.paths,
    ):
        raise WrongSignature
    request.service.access.admit(database.user)
    return database


def check_headers(request: Request) -> None:
    """Raises HeaderTooLong."""
    if any(len(name) + len(": ") + len(value) > LONGEST_HEADER for name, value in request.headers.items()):
        raise HeaderTooLong


def check_active(database: Database) -> None:
    """Raises ProjectInactive."""
    if not database.active:
        raise ProjectInactive


def check_date(request: Request, side: Side) -> None:
    """Raises DateMissing, DateMalformed, DateSkewed."""
    text = request.headers.get("date")
    if text is None:
        raise DateMissing
    signing.check_date(text, layouts=side.layouts, minutes=side.minutes)
