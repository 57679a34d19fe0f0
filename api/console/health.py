"""How the server is set up, and what was changed: for the operator."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from litestar import get
from litestar.response import Template

from api.console import figures
from api.console.console import Console, ConsoleHere
from api.console.visitors import Visitor
from api.edge.refusals import AnyRequest
from api.settings import Settings

LIBRARIES = ("obverse", "litestar", "uvicorn", "sqlalchemy", "duckdb", "faiss-cpu", "onnxruntime", "numpy")
SHOWN_CHANGES = 50


@get("/health")
async def health(request: AnyRequest, console: ConsoleHere) -> Template:
    """Raises NotAllowed for who is not the operator."""
    return await console.page(request, "health.html", lambda visitor: _shown(console, visitor))


def _shown(console: Console, visitor: Visitor) -> dict[str, Any]:
    visitor.check_operator()
    service = console.service
    return {
        "ready": service.readiness.ready,
        "read_only": service.catalogue.read_only,
        "counting": service.count_store.state(),
        "settings": settings_in_force(service.settings),
        "versions": versions(),
        "model": service.recognizer.fingerprint,
        "gallery": figures.gallery(service),
        "log": _log(console),
        "changes": list(console.changes)[:SHOWN_CHANGES],
    }


def settings_in_force(settings: Settings) -> list[tuple[str, str, bool]]:
    """(name, value, whether it differs from the default). No setting holds a secret: keys and passwords lie in the
    data folder."""
    values = settings.model_dump()
    return [
        (name, "" if values[name] is None else str(values[name]), values[name] != field.default)
        for name, field in Settings.model_fields.items()
    ]


def versions() -> dict[str, str]:
    """Of Python and of the libraries; a checkout that was never installed has none of its own."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _log(console: Console) -> list[dict[str, Any]]:
    """The latest entries of the catalogue's log, newest first, with the names that pictures and channels have now."""
    catalogue = console.service.catalogue
    entries = catalogue.changes(after=max(0, catalogue.last_seq() - SHOWN_CHANGES), limit=SHOWN_CHANGES)
    pictures = catalogue.pictures_by_id([entry.picture_id for entry in entries])
    names = {channel.id: channel.name for channel in catalogue.channels()}
    return [
        {
            "seq": entry.seq,
            "kind": entry.kind,
            "picture": pictures.get(entry.picture_id),
            "number": entry.picture_id,
            "channel": names.get(entry.channel_id, ""),
        }
        for entry in reversed(entries)
    ]


HANDLERS = [health]
