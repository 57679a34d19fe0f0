"""Many pictures at once: what was sent is kept on disk, and worked off one picture after the other in the engine's
lane, beside the requests of all others. The report can be asked for meanwhile.

Each import is three files in the folder `imports`: NUMBER.json says whose it is and how far, NUMBER.jsonl tells of each
picture, NUMBER.body is what was sent, until all of it is done. What was accepted is on disk, so that a server that was
killed goes on with it: pictures that it had added are found to be there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from api.accounts.store import Accounts, User
from api.edge.door import asks
from api.edge.fetch import Fetcher
from api.errors import Busy, ForeignChannel, ImportNotFound, WrongCredentials
from api.rules.pictures import PictureRules
from api.settings import Settings
from engine.catalogue import Catalogue
from engine.catalogue.rules import check_values
from engine.durable import replace_file
from engine.errors import (
    ChannelNotFound,
    InvalidValue,
    ObverseError,
    QuotaExceeded,
    ReadOnlyData,
    StorageError,
    StorageFailed,
    StorageFull,
)
from engine.upkeep.archives import Archive, Entry, read_list

_log = logging.getLogger(__name__)

Kind = Literal["archive", "list"]
State = Literal["waiting", "running", "done", "failed", "stopped"]
ENDED = ("done", "failed", "stopped")
MOST_WAITING, MOST_OF_ONE = 8, 4
"""Imports that arrive, wait or run, of all users and of one; beyond it: busy."""
_ASKED_AGAIN = 50
"""Pictures after which it is looked again whether the user may still add."""
MOST_KEPT = 100
"""Reports of imports that have ended; the oldest are removed."""
FOLDER = "imports"


class Item(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one picture."""

    name: str
    identifier: str = ""
    state: Literal["added", "present", "refused"]
    level: int | None = None
    error: str = ""
    reason: str = ""


class Job(msgspec.Struct, kw_only=True):
    """One import."""

    id: str
    user: int
    channel: str
    kind: Kind
    state: State = "waiting"
    reason: str = ""
    """Why it failed."""
    total: int | None = None
    """Pictures; None: not known yet."""
    added: int = 0
    present: int = 0
    refused: int = 0
    begun_at: float
    """Seconds since 1970."""
    to_stop: bool = False
    """Whether it was asked to stop."""


class ImportRules:
    """Belongs to the server's event loop; files are read and written in threads."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        accounts: Accounts,
        pictures: PictureRules,
        fetcher: Fetcher,
    ) -> None:
        self._settings, self._catalogue, self._accounts = settings, catalogue, accounts
        self._pictures, self._fetcher = pictures, fetcher
        self.folder = catalogue.folder / FOLDER
        self._jobs: dict[str, Job] = {}
        self._wakes = asyncio.Event()
        self._receiving: list[int] = []
        self._saving = asyncio.Lock()

    async def take(self, user: User, channel: str, kind: Kind, receive: Callable[[Path], Awaitable[object]]) -> Job:
        """Accepts an import: on disk when this returns. channel: from `AccessRules.channel_for_adding`; receive: writes
        what is sent to a new file. Raises ReadOnlyData, StorageFull, StorageFailed, Busy, and what `receive` does."""
        if self._catalogue.read_only:
            raise ReadOnlyData(str(self._catalogue.folder))
        at_work = [*self._receiving, *(job.user for job in self._jobs.values() if job.state not in ENDED)]
        if len(at_work) >= MOST_WAITING or at_work.count(user.id) >= MOST_OF_ONE:
            raise Busy("too many imports wait already", retry_after_seconds=self._settings.retry_after_seconds)
        job = Job(id=uuid.uuid4().hex, user=user.id, channel=channel, kind=kind, begun_at=time.time())
        self._receiving.append(user.id)
        try:
            await asyncio.to_thread(self.folder.mkdir, exist_ok=True)
            await receive(self._path(job, "body"))
            await self._save(job)
        except BaseException as error:
            self._path(job, "body").unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _of_disk(error) from error
            raise
        finally:
            self._receiving.remove(user.id)
        self._jobs[job.id] = job
        self._wakes.set()
        return job

    def job(self, user: User, number: str) -> Job:
        """Raises ImportNotFound, for another user's as well."""
        job = self._jobs.get(number)
        if job is None or job.user != user.id:
            raise ImportNotFound(number[:40])
        return job

    def jobs(self, user: User) -> list[Job]:
        """The user's, latest first."""
        return sorted((job for job in self._jobs.values() if job.user == user.id), key=lambda job: -job.begun_at)

    def items(self, job: Job, *, after: int, limit: int) -> list[Item]:
        """The report behind its first `after` lines: work for a thread."""
        try:
            with self._path(job, "jsonl").open("rb") as report:
                lines = (line for number, line in enumerate(report) if number >= after and line.endswith(b"\n"))
                return [msgspec.json.decode(line, type=Item) for line, _ in zip(lines, range(limit), strict=False)]
        except FileNotFoundError:
            return []

    async def stop(self, job: Job) -> None:
        """Ends it after the picture that is being added, also if the server ends before; what was added stays."""
        if job.state not in ENDED:
            job.to_stop = True
            await self._save(job)

    async def run(self) -> None:
        """Goes on with what an earlier server had accepted, then works off what comes, until it is cancelled. `_jobs`
        is touched on the event loop alone."""
        if self._catalogue.read_only:
            return
        try:
            self._load()
        except OSError:
            _log.exception("the imports of before cannot be read: they wait for the next start")
        while True:
            waiting = [job for job in self._jobs.values() if job.state not in ENDED]
            if not waiting:
                self._wakes.clear()
                await self._wakes.wait()
                continue
            await self._work_off(min(waiting, key=lambda job: job.begun_at))

    def _load(self) -> None:
        """Reads a hundred small files or so, before the first request: nothing else may touch the folder meanwhile."""
        if not self.folder.is_dir():
            return
        for path in self.folder.glob("*.json"):
            try:
                job = msgspec.json.decode(path.read_bytes(), type=Job)
            except msgspec.MsgspecError:
                _log.error("%s is no import that can be read", path)
                continue
            self._jobs[job.id] = job
        known = {self._path(job, "body") for job in self._jobs.values() if job.state not in ENDED}
        for path in (*self.folder.glob("*.body"), *self.folder.glob("*.part")):
            if path not in known:  # it was not accepted, or not written to its end
                path.unlink(missing_ok=True)
        self._forget()

    async def _work_off(self, job: Job) -> None:
        """What the report tells already was done by an earlier server, and is not done again: it may be
        removed since."""
        job.state, job.reason = "running", ""
        try:
            done = await asyncio.to_thread(self._take_up, job)
            with self._path(job, "jsonl").open("ab", buffering=0) as report:
                async for item in self._imported(job, done):
                    report.write(msgspec.json.encode(item) + b"\n")
                    setattr(job, item.state, getattr(job, item.state) + 1)
            job.state = "stopped" if job.to_stop else "done"
        except ObverseError as error:
            job.state, job.reason = "failed", str(error)
            if isinstance(error, StorageError):
                _log.error("an import failed: %s", error)
        except Exception as error:  # whatever it is, the imports behind it must go on
            job.state, job.reason = "failed", "it failed on the server"
            _log.exception("an import failed", exc_info=error)
        try:
            await self._save(job)
            await asyncio.to_thread(self._path(job, "body").unlink, missing_ok=True)
            self._forget()
        except OSError:
            _log.exception("how an import ended cannot be saved: it comes again with the next start")

    def _take_up(self, job: Job) -> int:
        """How many pictures the report tells of, which the job's counts are set to; a line that was cut is cut off."""
        path = self._path(job, "jsonl")
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            os.truncate(path, len(whole))
        states = [msgspec.json.decode(line, type=Item).state for line in whole.splitlines()]
        job.added, job.present, job.refused = (states.count(state) for state in ("added", "present", "refused"))
        return len(states)

    async def _imported(self, job: Job, done: int) -> AsyncIterator[Item]:
        """Of the entries behind the first `done`. Raises what no later picture would fare better with: QuotaExceeded,
        StorageError, ChannelNotFound, ForeignChannel, and InvalidValue for an archive that cannot be read."""
        user = await self._user(job)
        asks(user.id)
        path = self._path(job, "body")
        with contextlib.ExitStack() as opened:
            archive: Archive | None = None
            if job.kind == "archive":
                archive = await asyncio.to_thread(Archive, path)
                opened.enter_context(archive)
                entries = archive.entries
            else:
                entries = await asyncio.to_thread(lambda: list(read_list(path.read_bytes().splitlines(), key="url")))
            job.total = len(entries)
            for number, entry in enumerate(entries[done:]):
                if job.to_stop:
                    return
                if number % _ASKED_AGAIN == 0:
                    user = await self._user(job)
                yield await self._one(user, job, entry, archive)

    async def _user(self, job: Job) -> User:
        """Raises WrongCredentials where the user was disabled."""
        user = await asyncio.to_thread(self._accounts.user_by_id, job.user)
        if user.disabled:
            raise WrongCredentials("the user is disabled")
        return user

    async def _one(self, user: User, job: Job, entry: Entry, archive: Archive | None) -> Item:
        try:
            if entry.wrong:
                raise InvalidValue(entry.name[:200], entry.wrong)
            check_values(identifier=entry.identifier, metadata=entry.metadata, threshold=entry.threshold)
            if len(entry.metadata.encode("utf-8")) > self._settings.max_metadata_bytes:
                raise InvalidValue("metadata", f"at most {self._settings.max_metadata_bytes} bytes")
            limit = self._settings.max_image_bytes
            if archive is not None:
                image = await asyncio.to_thread(lambda: archive.read(entry.name, limit=limit))
                picture = await self._added(user, job, entry, image)
            else:
                async with self._fetched(entry) as image:
                    picture = await self._added(user, job, entry, image)
        except (QuotaExceeded, ChannelNotFound, ForeignChannel, StorageError):
            raise
        except ObverseError as error:
            return Item(
                name=entry.name,
                identifier=entry.identifier,
                state="refused",
                error=type(error).__name__,
                reason=str(error),
            )
        if picture is None:
            return Item(name=entry.name, identifier=entry.identifier, state="present")
        return Item(name=entry.name, identifier=entry.identifier, state="added", level=picture.level)

    async def _added(self, user: User, job: Job, entry: Entry, image: bytes) -> Any:
        while True:
            try:
                return await self._pictures.add_entry(user, job.channel, entry, image)
            except Busy as error:  # requests come first; one that was overdue is found to be there
                await asyncio.sleep(error.retry_after_seconds)

    @contextlib.asynccontextmanager
    async def _fetched(self, entry: Entry) -> AsyncIterator[bytes]:
        while True:
            try:
                async with self._fetcher.image("url", entry.name, client="") as image:
                    yield image
                return
            except Busy as error:
                await asyncio.sleep(error.retry_after_seconds)

    def _path(self, job: Job, ending: str) -> Path:
        return self.folder / f"{job.id}.{ending}"

    async def _save(self, job: Job) -> None:
        """Durably, and one after the other: who asks it to stop may do so while it ends."""
        async with self._saving:
            await asyncio.to_thread(replace_file, self._path(job, "json"), msgspec.json.encode(job))

    def _forget(self) -> None:
        ended = sorted((job for job in self._jobs.values() if job.state in ENDED), key=lambda job: -job.begun_at)
        for job in ended[MOST_KEPT:]:
            del self._jobs[job.id]
            for ending in ("json", "jsonl", "body"):
                self._path(job, ending).unlink(missing_ok=True)


def _of_disk(error: OSError) -> ObverseError:
    """A failure of the disk, in the engine's words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(FOLDER)
    return StorageFailed(FOLDER, error.strerror or str(error))
