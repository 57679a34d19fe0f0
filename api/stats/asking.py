"""Asking the server that runs on a data folder for its counts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from api.errors import StatisticsError
from api.stats.report import Report
from api.stats.store import Question

NOTE_NAME = "server.json"
PATIENCE_SECONDS = 60


class _Note(msgspec.Struct):
    """What the server leaves in the folder while it runs."""

    address: str
    token: str


def ask_server(folder: Path, question: Question, *, limit: int) -> Report | None:
    """The report of the server that runs on the folder; None where none runs.

    DuckDB lets no second process into its file, so the server must be asked while it runs.
    """
    # Imported for this alone: it takes longer than all else that the server needs of this module.
    import httpx

    try:
        note = msgspec.json.decode((folder / NOTE_NAME).read_bytes(), type=_Note)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    asked = {"first": question.first, "last": question.last, "limit": limit}
    asked |= {"user_id": question.user_id, "channel": question.channel}
    given = {name: str(value) for name, value in asked.items() if value is not None}
    try:
        # The server is near: no proxy of the environment is to see the token.
        answer = httpx.get(
            f"{note.address}/internal/statistics",
            params=given,
            headers={"Authorization": f"Bearer {note.token}"},
            timeout=PATIENCE_SECONDS,
            trust_env=False,
        )
        if answer.status_code != 200:
            raise StatisticsError(f"the server at {note.address} refused: HTTP {answer.status_code}")
        return msgspec.json.decode(answer.content, type=Report)
    except httpx.TimeoutException as error:
        raise StatisticsError(f"the server at {note.address} did not answer within {PATIENCE_SECONDS} s") from error
    except httpx.ConnectError:
        return None  # a note left by a server that was killed
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
        # Another program has the port now, the server ends at this moment, or the note is damaged.
        raise StatisticsError(f"what answers at {note.address} is no server of this folder: {error}") from error
