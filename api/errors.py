"""Errors of the service, under the engine's one parent.

    engine.errors.ObverseError
    `- ServiceError
       |- WrongCredentials       no such key, wrong secret, a disabled user, or a key that may not do this
       |- ForeignChannel         the channel belongs to another user
       |- NotMultipart           a method with a file was not sent as a multipart stream that holds one
       |- MalformedBody          a body that cannot be read as the form that it claims to be
       |- BodyTooLarge           more was sent than is accepted
       |- NotFetched             the image behind an address that a client named cannot be had
       |- ImportNotFound         no import of that number, or not this user's
       |- Busy                   refused now, worth another try after `retry_after_seconds`
       |  |- RateLimited         this user sent more than its share
       |  `- Overdue             no answer within the deadline
       |- SimilarPicture         the channel has a picture like this one, and it was to have none
       |- StatisticsError        the counts cannot be written or read
       |- AccountError           what the account commands refuse
       |  |- UserNotFound
       |  |- UserExists
       |  |- AppNotFound
       |  |- AppExists
       |  |- DatabaseNotFound
       |  `- DatabaseExists
       `- SettingError           a setting that is unknown or has a value outside its rule

Messages reach clients. They name limits and rules, never a secret, a path or another user's facts.
"""

from __future__ import annotations

from engine.errors import ObverseError


class ServiceError(ObverseError):
    """Parent of the service's own errors."""


class WrongCredentials(ServiceError):
    def __init__(self, advice: str = "username and secretkey do not fit together") -> None:
        super().__init__(advice)


class ForeignChannel(ServiceError):
    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"channel {channel!r} belongs to another user")


class NotMultipart(ServiceError):
    """A method with a file got no multipart stream that holds one. `close`: as in MalformedBody."""

    def __init__(self, reason: str, *, close: bool = False) -> None:
        self.reason, self.close = reason, close
        super().__init__(f"send multipart/form-data with the file in the part `image`: {reason}")


class MalformedBody(ServiceError):
    """A body is not the form that it claims to be.

    close: too much of it is still to come; the connection ends with the answer.
    """

    def __init__(self, reason: str, *, close: bool = False) -> None:
        self.reason, self.close = reason, close
        super().__init__(f"the body cannot be read: {reason}")


class BodyTooLarge(ServiceError):
    """More was sent than is accepted. `close`: as in MalformedBody."""

    def __init__(self, what: str, limit: int, *, close: bool = False) -> None:
        self.what, self.limit, self.close = what, limit, close
        super().__init__(f"{what}: at most {limit} bytes are accepted")


class NotFetched(ServiceError):
    """The image behind an address cannot be had. reason: tells nothing of what only the server can reach."""

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(f"{field} cannot be fetched: {reason}")


class ImportNotFound(ServiceError):
    def __init__(self, number: str) -> None:
        self.number = number
        super().__init__(f"no import {number!r}")


class Busy(ServiceError):
    def __init__(self, reason: str, *, retry_after_seconds: int) -> None:
        self.reason, self.retry_after_seconds = reason, retry_after_seconds
        super().__init__(f"busy: {reason}; try again in {retry_after_seconds} s")


class RateLimited(Busy):
    """More requests in a minute than the setting allows one user."""


class Overdue(Busy):
    """The call may still come to its end; only its answer is lost."""


class SimilarPicture(ServiceError):
    def __init__(self, channel: str, identifier: str) -> None:
        self.channel, self.identifier = channel, identifier
        super().__init__(f"channel {channel!r} has a similar picture, {identifier!r}")


class StatisticsError(ServiceError):
    """The file of the counts refused a write or a read; the cause is chained."""


class AccountError(ServiceError):
    """What was asked of the accounts cannot be done."""


class UserNotFound(AccountError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no user named {name!r}")


class UserExists(AccountError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"a user named {name!r} exists already")


class AppNotFound(AccountError):
    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"no app {what}")


class AppExists(AccountError):
    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"channel {channel!r} has an app already; rotate its secret, or remove it first")


class DatabaseNotFound(AccountError):
    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"channel {channel!r} has no database")


class DatabaseExists(AccountError):
    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"channel {channel!r} has a database already; rotate its secrets, or remove it first")


class SettingError(ServiceError):
    """Names the setting and, for an unknown one, the nearest known."""
