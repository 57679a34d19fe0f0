"""A channel of a Kivicube account, by its API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from cli.migrate.source import Found, SourceError, answered, of_json

BASE_URL = None
"""It stands in the account's documents."""
NEEDED = ("username", "secretkey", "channel")
LACKS: dict[str, str] = {}


def found(client: httpx.Client, keys: Mapping[str, str]) -> Iterator[Found]:
    """Every picture of the channel. Raises SourceError."""
    position = 0
    while True:
        page = _asked(client, keys, "/GetImages", position=str(position))
        images = page.get("images") or []
        for image in images:
            identifier, ratio = str(image["identifier"]), image.get("matchratio")
            yield Found(
                id=identifier,
                name=identifier,
                identifier=identifier,
                metadata=str(image.get("metadata") or ""),
                threshold=None if ratio is None else float(ratio),
            )
        position += len(images)
        if not images or position >= int(page.get("totalcount", 0)):
            return


def _asked(client: httpx.Client, keys: Mapping[str, str], path: str, **fields: str) -> dict[str, Any]:
    form = {**{name: keys[name] for name in NEEDED}, **fields}
    content = of_json(answered(lambda: client.post(path, data=form)))
    if content.get("returncode") != 0:
        raise SourceError(f"Kivicube answers {content.get('returncode')!r} to {path}: {content.get('message', '')}")
    return content
