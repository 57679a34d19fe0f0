"""Asking the server that runs on a data folder for its counts."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import msgspec

from api.errors import StatisticsError
from api.stats.report import Report
from api.stats.store import Question

NOTE_NAME = "server.json"


def ask_server(folder: Path, question: Question, *, limit: int) -> Report | None:
    """The report of the server that runs on the folder; None where none runs.

    DuckDB lets no second process into its file, so the server must be asked while it runs.
    """
    try:
        note = msgspec.json.decode((folder / NOTE_NAME).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    asked = {"first": question.first, "last": question.last, "limit": limit}
    asked |= {"user_id": question.user_id, "channel": question.channel}
    query = urllib.parse.urlencode({name: value for name, value in asked.items() if value is not None})
    request = urllib.request.Request(
        f"{note['address']}/internal/statistics?{query}", headers={"Authorization": f"Bearer {note['token']}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return msgspec.json.decode(answer.read(), type=Report)
    except urllib.error.HTTPError as error:
        raise StatisticsError(f"the server at {note['address']} refused: HTTP {error.code}") from error
    except urllib.error.URLError:
        return None  # a note left by a server that was killed
