"""What an identifier, a channel's name, metadata and a threshold may be: one rule in one place."""

from __future__ import annotations

import re

from engine.errors import InvalidValue

IDENTIFIER = re.compile(r"[A-Za-z0-9@_.]{3,50}")
IDENTIFIER_RULE = "3 to 50 of A-Z a-z 0-9 @ _ ."
"""The same for people."""
CHANNEL_NAME = re.compile(r"[A-Za-z0-9@_.-]{1,64}")
CHANNEL_RULE = "1 to 64 of A-Z a-z 0-9 @ _ . -"
"""The same for people."""
METADATA_BYTES = 2_000_000


def check_identifier(identifier: str) -> None:
    """Raises InvalidValue."""
    if not IDENTIFIER.fullmatch(identifier):
        raise InvalidValue("identifier", IDENTIFIER_RULE)


def check_channel_name(name: str) -> None:
    """Raises InvalidValue."""
    if not CHANNEL_NAME.fullmatch(name):
        raise InvalidValue("channel", CHANNEL_RULE)


def check_values(*, identifier: str | None, metadata: str, threshold: float | None) -> None:
    """Raises InvalidValue."""
    if identifier is not None:
        check_identifier(identifier)
    if len(metadata.encode(errors="surrogatepass")) > METADATA_BYTES:
        raise InvalidValue("metadata", f"at most {METADATA_BYTES} bytes")
    if threshold is not None and not 0 <= threshold <= 100:
        raise InvalidValue("threshold", "a number from 0 to 100")
