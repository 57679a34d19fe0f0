"""Many pictures in one file: a channel as a tar that people and other galleries can read, and tars, zips and lists of
addresses of which pictures are added.

An archive holds picture files, and perhaps lists of JSON lines, called `manifest.jsonl` or `manifest-1.jsonl` and so
on, that tell more of them: {"file": "a.jpg", "identifier": "cover.1", "metadata": "", "matchratio": 60, "active": true,
"uuid": "…"}. All but `file` may be missing. A list of addresses has `url` instead.

What is inside may be hostile: tars are walked here, because Python's own reader takes as much memory as a header
claims, and a zip's directory is judged before it is read.
"""

from __future__ import annotations

import io
import json
import re
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO

from engine.catalogue import Catalogue, Channel, Picture, Wanted
from engine.errors import IdentifierTaken, ImageTooLarge, InvalidValue
from engine.recognizer import Recognizer
from engine.upkeep.bulk_import import identifier_of, sha256

MOST_ENTRIES = 200_000
"""Of one archive or list: a picture takes about 1 KB of memory while it is worked on."""
LIST_BYTES = 200_000_000
"""Of all lists of an archive together."""
_HEADER_BYTES = 65_536
"""Of one extended header of a tar, which holds a long name."""
_DIRECTORY_BYTES = 20_000_000
"""Of a zip's directory, which takes six times as much memory while it is read."""
_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Ways of packing a zip's files that Python unpacks piece by piece; of the others it unpacks a whole piece at once,
however much that is."""
_PAGE = 100
_PART = 10_000
_PART_BYTES = 10_000_000
"""Pictures of which one list of an export tells, and about its bytes: it ends with either."""
_LIST = re.compile(r"manifest(-[0-9]+)?\.jsonl")
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A picture to add, as an archive or a list tells of it."""

    name: str
    """Of its file, or its address."""
    identifier: str
    metadata: str = field(default="", repr=False)
    threshold: float | None = None
    active: bool = True
    uuid: str | None = None
    """Its own; a new one is drawn where another picture has it."""
    wrong: str = ""
    """Why it cannot be used."""


def add_entry(recognizer: Recognizer, channel: Channel, entry: Entry, image: bytes) -> Picture | None:
    """The new picture; None where it is there already, of the very same file. Raises what `Recognizer.add` does."""
    digest = sha256(image)
    uuid = entry.uuid
    if uuid is not None and recognizer.catalogue.picture_by_uuid(uuid) is not None:
        uuid = None
    try:
        return recognizer.add(
            channel,
            entry.identifier,
            image,
            metadata=entry.metadata,
            threshold=entry.threshold,
            active=entry.active,
            facts={"sha256": digest},
            uuid=uuid,
        )
    except IdentifierTaken:
        if recognizer.catalogue.picture(channel, entry.identifier).facts.get("sha256") != digest:
            raise
        return None


# Archives that are added


class Archive:
    """A tar or zip on disk. Safe for one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidValue for what is neither, or holds too much, and OSError."""
        self._file: BinaryIO = path.open("rb")
        try:
            self._zip = self._opened_zip()
            self._members = dict(self._zipped() if self._zip else _tarred(self._file))
            self.entries = self._listed()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, name: str, *, limit: int) -> bytes:
        """A file's bytes. Raises ImageTooLarge above `limit`, InvalidValue where they are damaged."""
        at, size = self._members[name]
        if self._zip is not None and self._zip.getinfo(name).compress_type not in _WAYS:
            raise InvalidValue("archive", f"the file {name!r} in it stored, or packed by deflate")
        if size > limit:
            raise ImageTooLarge("bytes", size, limit)
        if self._zip is None:
            self._file.seek(at)
            return self._file.read(size)
        try:
            with self._zip.open(name) as member:
                data = member.read(limit + 1)
        except Exception as error:  # what zipfile and zlib raise for damage shares no parent
            raise InvalidValue("archive", f"the file {name!r} in it can be unpacked") from error
        if len(data) > limit:
            raise ImageTooLarge("bytes", len(data), limit)
        return data

    def _opened_zip(self) -> zipfile.ZipFile | None:
        start = self._file.read(4)
        if start not in (b"PK\x03\x04", b"PK\x05\x06"):
            return None
        size = self._file.seek(0, io.SEEK_END)
        self._file.seek(max(0, size - 65_536 - 22 - 76))
        tail = self._file.read()
        # ZIP application note 6.3.10: 4.3.16 the end of the directory, 4.3.14 the same for large files.
        end = tail.rfind(b"PK\x05\x06")
        large = tail.rfind(b"PK\x06\x06", 0, end) if tail[end - 20 : end - 16] == b"PK\x06\x07" else -1
        try:
            count, directory = struct.unpack_from("<HI", tail, end + 10)
            if large >= 0:  # it counts, whatever the other says
                count, directory = struct.unpack_from("<QQ", tail, large + 32)
            if end < 0 or directory > _DIRECTORY_BYTES or count > MOST_ENTRIES:
                rule = f"a zip of at most {MOST_ENTRIES} files whose directory has at most {_DIRECTORY_BYTES} bytes"
                raise InvalidValue("archive", rule)
            return zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OverflowError, OSError) as error:
            raise InvalidValue("archive", "a zip that is whole") from error

    def _zipped(self) -> Iterator[tuple[str, tuple[int, int]]]:
        assert self._zip is not None
        infos = self._zip.infolist()
        if len(infos) > MOST_ENTRIES:
            raise InvalidValue("archive", f"at most {MOST_ENTRIES} files")
        for info in infos:
            if not info.is_dir():
                yield info.filename, (0, info.file_size)

    def _listed(self) -> list[Entry]:
        """In the order of the archive, with what the lists say."""
        lists = [name for name in self._members if _LIST.fullmatch(PurePosixPath(name).name)]
        told: dict[str, Entry] = {}
        spent = 0
        for name in lists:
            try:
                text = self.read(name, limit=LIST_BYTES - spent)
            except ImageTooLarge as error:
                raise InvalidValue("archive", f"lists of at most {LIST_BYTES} bytes together") from error
            spent += len(text)
            told |= {entry.name: entry for entry in read_list(text.splitlines(), key="file")}
        listed = set(lists)
        files = [name for name in self._members if name not in listed and (name in told or _is_a_picture(name))]
        entries = [told.pop(name) if name in told else _named(name) for name in files]
        missing = "the archive holds no such file"
        return [*entries, *(entry if entry.wrong else replace(entry, wrong=missing) for entry in told.values())]


def read_list(lines: Iterable[bytes], *, key: str) -> Iterator[Entry]:
    """Entries of JSON lines; one that cannot be read is an entry that says so. key: "file" or "url". Raises
    InvalidValue for too many."""
    for number, line in enumerate(lines, start=1):
        if number > MOST_ENTRIES:
            raise InvalidValue("archive", f"at most {MOST_ENTRIES} lines")
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            yield _entry(told, key)
        except (ValueError, OverflowError, RecursionError, KeyError, TypeError, AttributeError):
            rule = f"a JSON object with `{key}` as text; metadata as text, matchratio 0 to 100, active true or false"
            yield Entry(name=f"line {number}", identifier="", wrong=rule)


def _entry(told: dict[str, Any], key: str) -> Entry:
    name = told[key]
    identifier = told.get("identifier", _named(name).identifier)
    metadata, ratio, active, uuid = (told.get(k) for k in ("metadata", "matchratio", "active", "uuid"))
    texts = (name, identifier, metadata or "", uuid or "")
    right = all(isinstance(text, str) for text in texts) and not isinstance(ratio, bool)
    if not name or not right or (active is not None and not isinstance(active, bool)):
        raise TypeError
    for text in texts:
        text.encode("utf-8")  # halves of a pair, of which JSON may tell, are no text: ValueError
    if uuid is not None and not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", uuid):
        raise ValueError
    return Entry(
        name=name,
        identifier=identifier,
        metadata=metadata or "",
        threshold=None if ratio is None else float(ratio),
        active=active is not False,
        uuid=uuid,
    )


def _named(name: str) -> Entry:
    """Of what no list tells: the identifier is made of the file's name, as `obverse add` makes it."""
    return Entry(name=name, identifier=identifier_of(Path(name.split("?", 1)[0])))


def _is_a_picture(name: str) -> bool:
    """Whether a file is meant to be one: not hidden, nor what a Mac puts beside each."""
    parts = PurePosixPath(name).parts
    return bool(parts) and "__MACOSX" not in parts and not parts[-1].startswith(".")


def _tarred(file: BinaryIO) -> Iterator[tuple[str, tuple[int, int]]]:
    """Name, place and size of a tar's files (POSIX.1-2017, pax, "ustar Interchange Format"; GNU's long names)."""
    end = file.seek(0, io.SEEK_END)
    at, count, long_name, whole = 0, 0, "", end == 0
    while at + _BLOCK <= end:
        file.seek(at)
        header = file.read(_BLOCK)
        if not header.strip(b"\0"):
            whole = True  # of the two empty blocks at the end some writers leave one out
            break
        count += 1
        if count > MOST_ENTRIES:
            raise InvalidValue("archive", f"at most {MOST_ENTRIES} files")
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "backslashreplace")
        except tarfile.HeaderError as error:
            raise InvalidValue("archive", "a tar (not compressed) or a zip that is whole") from error
        body = at + _BLOCK
        if info.size < 0 or body + info.size > end:
            raise InvalidValue("archive", "a tar that is whole")
        at = body + -(-info.size // _BLOCK) * _BLOCK
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
            if info.size > _HEADER_BYTES:
                raise InvalidValue("archive", f"names of at most {_HEADER_BYTES} bytes")
            text = file.read(info.size)
            is_gnu = info.type == tarfile.GNUTYPE_LONGNAME
            long_name = text.rstrip(b"\0").decode("utf-8", "backslashreplace") if is_gnu else _pax_name(text)
        elif info.isreg():
            name, long_name = long_name or info.name, ""
            yield name, (body, info.size)
        else:
            long_name = ""
    if not whole:
        raise InvalidValue("archive", "a tar that is whole")


def _pax_name(text: bytes) -> str:
    """The path among the records, "LENGTH KEY=VALUE\\n" each; empty where there is none."""
    found = re.search(rb"(?:^|\n)[0-9]{1,6} path=([^\n]*)\n", text)
    return found[1].decode("utf-8", "backslashreplace") if found else ""


# A channel as an archive


def exported(catalogue: Catalogue, channel: Channel) -> Iterator[bytes]:
    """A tar of the channel's kept pictures and of lists that tell of all of them, in pieces: it is never held whole.
    Raises ChannelNotFound."""
    lines: list[bytes] = []
    after, parts, told = "", 0, 0
    while page := catalogue.browse(channel, Wanted(), after=after, limit=_PAGE):
        after = page[-1].identifier
        for glimpse in page:
            picture = catalogue.pictures_by_id([glimpse.id]).get(glimpse.id)
            if picture is None:  # removed meanwhile
                continue
            jpeg, name = catalogue.rendition(picture.id), f"{picture.identifier}.jpg"
            if jpeg is not None:
                yield from _in_tar(name, jpeg, picture.updated_at)
            lines.append(_told(picture, None if jpeg is None else name))
            told += len(lines[-1])
            if len(lines) >= _PART or told >= _PART_BYTES:
                parts, told = parts + 1, 0
                yield from _in_tar(f"manifest-{parts}.jsonl", b"".join(lines), 0)
                lines.clear()
    if lines or not parts:
        yield from _in_tar(f"manifest-{parts + 1}.jsonl", b"".join(lines), 0)
    yield bytes(2 * _BLOCK)


def _told(picture: Picture, name: str | None) -> bytes:
    facts = {
        "file": name,
        "identifier": picture.identifier,
        "uuid": picture.uuid,
        "metadata": picture.metadata,
        "matchratio": picture.threshold,
        "active": picture.active,
        "level": picture.level,
        "number": picture.id,
        "added_at": picture.added_at,
    }
    return json.dumps(facts, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _in_tar(name: str, data: bytes, modified: float) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(data), int(modified)
    yield info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % _BLOCK)
