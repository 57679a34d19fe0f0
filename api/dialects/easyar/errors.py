"""What only this dialect refuses; `codes` has the number of each.

api.errors.ServiceError
|- WrongContentType        a body that is not of the type that the path takes
|- WrongAppId              no appId or appKey was given, or not one that could exist
|- UnknownApp              no such app
|- WrongTimestamp          no timestamp, or one too far from the server's clock
|- WrongSignature          no signature, or one that the secret does not make
|- WrongToken              a token that does not allow this; its children say why
|  |- TokenNotBase64
|  |- TokenUnreadable
|  `- TokenExpired
|- NotBase64               the image's text is not base64
|- UpdateRefused           the new image is similar to another target's
|- RecordMissing           recognised, and removed in the same moment
`- TokenRefused            the token service says no; its children say why
   |- ApiKeyUnknown
   |- TokenTimestampWrong
   |- TokenSignatureWrong
   |- AppNotAuthorised
   `- NoResources
"""

from __future__ import annotations

from api.errors import ServiceError


class WrongContentType(ServiceError):
    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(f"the content type must be {wanted}")


class WrongAppId(ServiceError):
    def __init__(self) -> None:
        super().__init__("appId (or appKey): 1 to 64 letters and digits are needed")


class UnknownApp(ServiceError):
    def __init__(self) -> None:
        super().__init__("the appId (appKey) does not exist")


class WrongTimestamp(ServiceError):
    def __init__(self, minutes: int) -> None:
        self.minutes = minutes
        super().__init__(f"timestamp: milliseconds since 1970, at most {minutes} minutes from the server's clock")


class WrongSignature(ServiceError):
    def __init__(self) -> None:
        super().__init__("the signature does not fit the parameters and the key")


class WrongToken(ServiceError):
    def __init__(self, reason: str = "the token does not allow this") -> None:
        super().__init__(reason)


class TokenNotBase64(WrongToken):
    def __init__(self) -> None:
        super().__init__("Authorization is not base64")


class TokenUnreadable(WrongToken):
    def __init__(self) -> None:
        super().__init__("Authorization cannot be decrypted")


class TokenExpired(WrongToken):
    def __init__(self) -> None:
        super().__init__("the token has expired")


class NotBase64(ServiceError):
    def __init__(self) -> None:
        super().__init__(
            "image: it is not base64: 4 of A-Z a-z 0-9 + / for 3 bytes, padded with = (not - and _, as in addresses)"
        )


class UpdateRefused(ServiceError):
    def __init__(self, identifier: str) -> None:
        self.identifier = identifier
        super().__init__("a similar target exists")


class RecordMissing(ServiceError):
    def __init__(self) -> None:
        super().__init__("matched, but the target's record is missing")


class TokenRefused(ServiceError):
    """No token was made."""

    def __init__(self, reason: str = "the token could not be made: expires or acl is malformed") -> None:
        super().__init__(reason)


class ApiKeyUnknown(TokenRefused):
    def __init__(self) -> None:
        super().__init__("apiKey is invalid")


class TokenTimestampWrong(TokenRefused):
    def __init__(self, minutes: int) -> None:
        self.minutes = minutes
        super().__init__(f"timestamp: milliseconds since 1970, at most {minutes} minutes from the server's clock")


class TokenSignatureWrong(TokenRefused):
    def __init__(self) -> None:
        super().__init__("the signature does not fit")


class AppNotAuthorised(TokenRefused):
    def __init__(self) -> None:
        super().__init__("acl names an appId that this apiKey does not stand for")


class NoResources(TokenRefused):
    def __init__(self) -> None:
        super().__init__("acl names no resource")
