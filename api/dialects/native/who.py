"""Who asks: the key pairs of Kivicube's dialect, in a header or in a form."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from api.accounts.store import User
from api.errors import WrongCredentials
from api.service import Service


def login(service: Service, header: str, fields: Mapping[str, str], *, reads_only: bool) -> User:
    """header: Authorization, as HTTP Basic (RFC 7617) has it; fields: of a form, whose `username` and `secretkey` count
    where there is no header; reads_only: a read-only pair will do. Raises WrongCredentials, RateLimited."""
    username, secret = _of_header(header) if header else (fields.get("username"), fields.get("secretkey"))
    return service.access.authenticate(username, secret, reads_only=reads_only)


def _of_header(header: str) -> tuple[str, str]:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "basic":
        raise WrongCredentials("send the key pair as HTTP Basic: Authorization: Basic base64(username:secretkey)")
    try:
        username, _, secret = base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError as error:  # no base64, no ASCII, or no UTF-8 within
        raise WrongCredentials("the header Authorization cannot be read") from error
    return username, secret
