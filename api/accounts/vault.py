"""Secrets that must be read back, sealed with the key in DATA/secrets.key (Fernet: AES-128-CBC and HMAC-SHA256).

The key file is readable by its owner alone. Who copies the database without it has no secrets; a backup holds both.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from engine.errors import DamagedData

KEY_NAME = "secrets.key"


class Vault:
    """Seals and opens with the folder's key, which is made where there is none. Safe for use by many threads."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """read_only: no key is made, and there is no secret that it could open. Raises DamagedData where the key file
        holds no key."""
        path = folder / KEY_NAME
        made = path.exists()
        if not made and not read_only:
            _make_key(path)
            made = True
        try:
            self._fernet = Fernet(path.read_bytes().strip() if made else Fernet.generate_key())
        except ValueError as error:
            raise DamagedData(f"{path} holds no key: restore it from a backup") from error

    def seal(self, text: str) -> str:
        """URL-safe base64."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """What was sealed; None where this key did not seal it."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None


def _make_key(path: Path) -> None:
    """Whole or not at all, by a link: of two processes that make one at once, both use the first."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix="secrets-")  # with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
