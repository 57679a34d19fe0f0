"""The operator's password for the console, kept as scrypt beside the gallery's other facts: one row, no user.

It lies in the catalogue's table of facts, so that a backup holds it and a running server sees a new one at once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from engine.catalogue import Catalogue
from engine.errors import InvalidValue

FEWEST_CHARACTERS = 8
"""NIST SP 800-63B, 5.1.1.2: at least 8 characters, and no rule about which."""
MOST_CHARACTERS = 200
_KEY = "console.password"
_N, _R, _P = 2**15, 8, 3
"""OWASP Password Storage Cheat Sheet: scrypt with N=2^15, r=8, p=3; 32 MB while it is computed."""
_MEMORY = 64 * 2**20


class OperatorPassword:
    """Safe for use by many threads and processes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def set(self, password: str) -> None:
        """Takes effect at once, and ends all sessions of the operator. Raises InvalidValue, the StorageErrors."""
        if not FEWEST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
            raise InvalidValue("password", f"{FEWEST_CHARACTERS} to {MOST_CHARACTERS} characters")
        salt = secrets.token_bytes(16)
        parts = [_text(salt), _text(_scrypt(password, salt, n=_N, r=_R, p=_P))]
        self._catalogue.write_meta(_KEY, "$".join(["scrypt", str(_N), str(_R), str(_P), *parts]))

    def remove(self) -> None:
        """Nobody signs in as the operator any more. Raises the StorageErrors."""
        self._catalogue.write_meta(_KEY, "")

    def mark(self) -> str:
        """Changes with the password and does not tell it; empty where there is none."""
        return self._catalogue.read_meta(_KEY) or ""

    def verify(self, password: str) -> str | None:
        """The mark of the password where it is right; None where it is not, or where there is none."""
        stored = self.mark()
        if not stored or len(password) > MOST_CHARACTERS:
            return None
        _, n, r, p, salt, digest = stored.split("$")
        found = _scrypt(password, base64.b64decode(salt), n=int(n), r=int(r), p=int(p))
        return stored if hmac.compare_digest(found, base64.b64decode(digest)) else None


def _scrypt(password: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
