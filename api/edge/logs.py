"""Logs: one JSON object (or one line of text) a record on standard error, with the request's id.

Requests are logged by name, size, code and time. Fields, keys, secrets and pictures are never handed to a
logger, and traces are printed without the values of variables.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import structlog

from api.settings import Settings

SELDOM_SECONDS = 60.0
"""Least time between two lines of asyncio about a socket that cannot be accepted."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Seldom(logging.Filter):
    """Lets one line a minute pass of those that asyncio writes, with a trace, a thousand times a second while the
    process has no descriptor left: a full disk would be the next thing to happen."""

    def __init__(self) -> None:
        super().__init__()
        self._last, self._left_out = -SELDOM_SECONDS, 0

    def filter(self, record: logging.LogRecord) -> bool:
        if not str(record.msg).startswith("socket.accept() out of system resource"):
            return True
        now = time.monotonic()
        if now - self._last < SELDOM_SECONDS:
            self._left_out += 1
            return False
        record.msg = "no descriptor is left for another connection: raise the limit of open files (ulimit -n)"
        record.args = None
        if self._left_out:
            record.msg += f"; {self._left_out} more such lines were left out"
        record.exc_info = None
        self._last, self._left_out = now, 0
        return True


def without_controls(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Characters that move a terminal's cursor or change its colours, as their numbers; traces keep their lines."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", value)
    return event


def configure_logging(settings: Settings) -> None:
    """Sends structlog and the standard library's loggers to one stream. Called by commands, not by import."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if settings.log_format == "text":
        plain = structlog.dev.plain_traceback
        shared.append(without_controls)
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    else:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # It tells the path of each WebSocket: a tunnel's name is a key for five minutes.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("asyncio").addFilter(Seldom())
