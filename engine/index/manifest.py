"""The manifest of the saved index: which files there are, what they should be, and whose they are.

FOLDER/index/manifest.json has the keys `format`, `seq`, `count`, `dimension`, `columns`, `shards` and `fingerprint`.
Since there are sums it has four more, all or none of them: `save`, the number of the save (`engine.index.history`);
`files`, bytes and CRC-32 by name of the files that never change; `blocks`, by name those of the blocks of the files
that grow; `sum`, the CRC-32 of the manifest's own content. A version that knows nothing of the four passes them over.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.durable import replace_file

NAME = "manifest.json"
FORMAT = 1
_CHECKED = ("save", "files", "blocks", "sum")


def read(place: Path) -> bytes | None:
    """What the file holds; None where there is none. Raises OSError."""
    try:
        return (place / NAME).read_bytes()
    except FileNotFoundError:
        return None


def parse(text: bytes) -> dict[str, Any]:
    """Raises ValueError where it is not what was written; damage may raise other errors as well."""
    content = json.loads(text)
    if content["format"] != FORMAT:
        raise ValueError(f"manifest of format {content['format']!r}, this installation reads {FORMAT}")
    given = [key for key in _CHECKED if key in content]
    if given and (given != list(_CHECKED) or content["sum"] != _sum(content)):
        raise ValueError("the manifest is not what was written")
    return dict(content)


def has_sums(manifest: Mapping[str, Any]) -> bool:
    return "sum" in manifest


def write(place: Path, content: Mapping[str, Any]) -> None:
    """Replaces the manifest at once and for good. content: all but `format` and `sum`."""
    whole = {"format": FORMAT, **content}
    replace_file(place / NAME, json.dumps({**whole, "sum": _sum(whole)}).encode())


def save_number(place: Path) -> str | None:
    """Of the files that are there; None where there are none, where they have none, and where that cannot be read."""
    try:
        number = json.loads((place / NAME).read_bytes())["save"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return number if isinstance(number, str) else None


def position(place: Path) -> int:
    """The log position that the files stand for; 0 where there are none that can be read."""
    try:
        return int(json.loads((place / NAME).read_bytes())["seq"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError, OverflowError):
        return 0


def _sum(content: Mapping[str, Any]) -> int:
    """Of all but the sum itself, in one form."""
    kept = {key: value for key, value in content.items() if key != "sum"}
    return zlib.crc32(json.dumps(kept, sort_keys=True).encode())
