"""Running the application: the socket, how many connections it may have, the note in the data folder that says where it
listens, the signals."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from litestar.types import ASGIApp

from api.app import check_settings, create_app
from api.dialects.easyar.parameters import max_image_bytes
from api.dialects.vuforia.asked import MOUNT as VUFORIA
from api.edge.connections import ConnectionRules, HttpConnection, SocketConnection, WatchedServer
from api.edge.prefix import AtRootOf, UnderPrefix
from api.settings import Settings
from api.stats.asking import NOTE_NAME
from engine.errors import ReadOnlyData
from engine.recognizer import Recognizer
from engine.settings import EngineSettings, ImageLimits
from engine.threads import one_thread_each

try:
    import resource
except ImportError:  # not on every system
    resource = None  # type: ignore[assignment]

FILES = 128
"""Descriptors that are kept for files: the catalogue, the counts, the segments of the index."""


def run_server(
    folder: Path, settings: Settings, *, tell: Callable[[str, str | None], None], read_only: bool = False
) -> int:
    """Serves the data folder until a signal; gives the exit status. tell: is handed the address, and that of Vuforia's
    calls where they have one of their own, once bound. read_only: changes are refused, nothing is counted, and nothing
    is written into the folder.

    Raises SettingError where settings do not fit together; DataFolderLocked, ModelMismatch and the other StorageErrors;
    OSError where a port is taken.
    """
    check_settings(settings)
    ports = [settings.port] if settings.vuforia_port is None else [settings.port, settings.vuforia_port]
    with one_thread_each(), contextlib.ExitStack() as opened:
        listeners = [opened.enter_context(_listener(settings.host, port)) for port in ports]
        listener, vuforias = listeners[0], listeners[1:]
        recognizer = _opened(folder, engine_settings(settings), read_only=read_only)
        token = secrets.token_hex(32)
        address = _address(listener)
        with contextlib.ExitStack() as unless_it_runs:
            unless_it_runs.callback(recognizer.close)
            app = create_app(settings, recognizer=recognizer, token=token)
            shown = _shown(app, settings, vuforias)
            unless_it_runs.pop_all()
        rules = connection_rules(settings)
        config = uvicorn.Config(
            shown,
            # uvicorn asks for classes and makes connections of what it gets.
            http=functools.partial(HttpConnection, rules),  # type: ignore[arg-type]
            ws=functools.partial(SocketConnection, app.state.service.memory),  # type: ignore[arg-type]
            log_config=None,
            access_log=False,
            server_header=False,
            ws_max_size=2 * max_image_bytes(settings),
            timeout_keep_alive=75,
            timeout_graceful_shutdown=settings.stop_timeout_seconds,
            lifespan="on",
        )
        server = WatchedServer(config, rules)
        app.state.service.is_stopping = lambda: server.should_exit
        # Beside a server that may write, the note is that one's.
        note = contextlib.nullcontext() if read_only else _announced(folder, address=address, token=token)
        with _quiet_signals(), note:
            tell(address, _address(vuforias[0]) if vuforias else None)
            server.run(sockets=listeners)
        if app.state.service.readiness.stuck:
            os._exit(1)  # a thread that hangs would keep the process alive for ever
        return 0 if server.started and not app.state.service.readiness.unsaved else 1


def _listener(host: str, port: int) -> socket.socket:
    """Raises OSError where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    # Sockets that it accepts inherit this; asyncio sets it on those alone that were made with a protocol number.
    # Without it each answer on a kept connection waits 40 ms for the client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _shown(app: ASGIApp, settings: Settings, vuforias: list[socket.socket]) -> ASGIApp:
    """The application as its ports show it."""
    for listener in vuforias:
        app = AtRootOf(app, port=listener.getsockname()[1], prefix=VUFORIA)
    return UnderPrefix(app, settings.path_prefix) if settings.path_prefix else app


def _opened(folder: Path, settings: EngineSettings, *, read_only: bool) -> Recognizer:
    if read_only:
        return Recognizer.open(folder, settings, hold=False, read_only=True)
    try:
        return Recognizer.open_lasting(folder, settings)
    except ReadOnlyData as error:
        raise ReadOnlyData(error.path, "`obverse serve --read-only` serves it without changes and counts") from error


def connection_rules(settings: Settings) -> ConnectionRules:
    """Raises the soft limit of open files to the hard one, and stays below it: at the limit nothing can be accepted,
    nor any file of the gallery opened."""
    most = settings.max_connections
    if resource is not None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = most + FILES
        if soft != resource.RLIM_INFINITY and soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            most = min(most, max(soft - FILES, soft // 2))
    return ConnectionRules(
        most=most,
        header_timeout_seconds=settings.header_timeout_seconds,
        send_timeout_seconds=settings.send_timeout_seconds,
    )


def engine_settings(settings: Settings) -> EngineSettings:
    """The engine's share of the service's settings."""
    return EngineSettings(
        model=EngineSettings.model if settings.model is None else settings.model,
        comparator=EngineSettings.comparator if settings.comparator is None else settings.comparator,
        limits=ImageLimits(max_bytes=settings.max_image_bytes, formats=settings.formats),
        calibration=settings.calibration,
        default_threshold=settings.default_threshold,
        second_look=settings.second_look,
        keep_pictures=settings.keep_pictures,
        threads=settings.threads,
    )


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


@contextlib.contextmanager
def _announced(folder: Path, *, address: str, token: str) -> Iterator[None]:
    """Keeps a note in the folder, readable by its owner alone, while the server runs."""
    path = folder / NOTE_NAME
    path.unlink(missing_ok=True)
    note = json.dumps({"address": address, "token": token, "pid": os.getpid()})
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(note)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _quiet_signals() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more when it is done; a graceful stop shall exit with 0."""
    stopping = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in stopping}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
