"""What only this dialect refuses; `codes` has the two forms of each.

api.errors.ServiceError
`- Refused
   |- HeaderTooLong           one line of the headers, where the vendor's limit holds
   |- AuthorizationMissing
   |- AuthorizationMalformed  the header is not `VWS KEY:SIGNATURE`
   |- UnknownKey              no database has this access key
   |- WrongSignature
   |- ProjectInactive
   |- DateMissing
   |- DateMalformed
   |- DateSkewed
   |- ContentTypeMissing
   |- UnwantedBody            management: a call without a body was sent one
   |- BodyMissing             management: a call with a body was sent none
   |- NotBase64
   |- NameOutOfRange          management: a new target's name has characters above U+FFFF
   |- MetadataTooLarge
   |- UnfitImage              not a JPEG or PNG, or not in grey or RGB
   |- TargetProcessing
   |- TargetNotSuccess
   |- NotAcceptable           query: the client takes no JSON
   |- NotMultipart            query: another content type
   |- BoundaryMissing         query
   |- DispositionMissing      query: a part says no name
   |- UnreadableParts         query: a body that cannot be split into its parts
   |- UnknownParameters       query
   |- ImageMissing            query
   |- WrongCount              query: max_num_results
   `- WrongTargetData         query: include_target_data
"""

from __future__ import annotations

from api.errors import ServiceError

LEAST_RESULTS, MOST_RESULTS = 1, 50


class Refused(ServiceError):
    """Parent of this dialect's own errors. Its text is what the query answers where it answers text."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or self.TEXT)

    TEXT = ""


class HeaderTooLong(Refused):
    TEXT = "a header is too long"


class AuthorizationMissing(Refused):
    TEXT = "Authorization header missing."


class AuthorizationMalformed(Refused):
    TEXT = "Malformed authorization header."


class UnknownKey(Refused):
    TEXT = "no database has this access key"


class WrongSignature(Refused):
    TEXT = "the signature does not fit the request and the secret key"


class ProjectInactive(Refused):
    TEXT = "the database is switched off"


class DateMissing(Refused):
    TEXT = "Date header required."


class DateMalformed(Refused):
    TEXT = "Malformed date header."


class DateSkewed(Refused):
    def __init__(self, minutes: int) -> None:
        super().__init__(f"Date: it must be less than {minutes} minutes from the server's clock")


class ContentTypeMissing(Refused):
    TEXT = "a content type is needed"


class UnwantedBody(Refused):
    TEXT = "this call takes no body"


class BodyMissing(Refused):
    TEXT = "a JSON object is needed"


class NotBase64(Refused):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: it is not base64")


class NameOutOfRange(Refused):
    TEXT = "name: characters above U+FFFF are not accepted"


class MetadataTooLarge(Refused):
    def __init__(self, limit: int) -> None:
        super().__init__(f"application_metadata: at most {limit} bytes are accepted")


class UnfitImage(Refused):
    TEXT = "image: a JPEG or PNG in grey or RGB is needed"


class TargetProcessing(Refused):
    TEXT = "the target is being processed"


class TargetNotSuccess(Refused):
    TEXT = "the target is being processed, or has failed"


class NotAcceptable(Refused):
    TEXT = "Accept: application/json is what is answered"


class NotMultipart(Refused):
    TEXT = "the content type must be multipart/form-data"


class BoundaryMissing(Refused):
    TEXT = "RESTEASY007550: Unable to get boundary for multipart"


class DispositionMissing(Refused):
    TEXT = "Could find no Content-Disposition header within part"


class UnreadableParts(Refused):
    TEXT = "The parts of the multipart body cannot be told from each other."


class UnknownParameters(Refused):
    TEXT = "Unknown parameters in the request."


class ImageMissing(Refused):
    TEXT = "No image."


class WrongCount(Refused):
    def __init__(self, value: str, *, whole: bool) -> None:
        """whole: it is a whole number, only out of range."""
        part, limits = "form data part 'max_result'", f"range {'is ' * whole}from {LEAST_RESULTS} to {MOST_RESULTS}"
        if whole:
            super().__init__(f"Integer out of range ({value}) in {part}. Accepted {limits} (inclusive).")
        else:
            super().__init__(f"Invalid value '{value}' in {part}. Expecting integer value in {limits} (inclusive).")


class WrongTargetData(Refused):
    def __init__(self, value: str) -> None:
        super().__init__(
            f"Invalid value '{value.lower()}' in form data part 'include_target_data'. "
            "Expecting one of the (unquoted) string values 'all', 'none' or 'top'."
        )
