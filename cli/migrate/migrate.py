"""`obverse migrate`: an account elsewhere becomes a channel here."""

from __future__ import annotations

import contextlib
import enum
import importlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson, NewDataFolder, notices, opened, print_json, refuse
from engine.errors import ChannelExists, GalleryError, ImageError, PictureNotFound, QuotaExceeded

if TYPE_CHECKING:
    from cli.migrate.source import Found
    from engine.catalogue import Channel
    from engine.recognizer import Recognizer


class Service(enum.StrEnum):
    """Whose account it is."""

    VUFORIA = "vuforia"
    EASYAR = "easyar"
    KIVICUBE = "kivicube"


@dataclass(kw_only=True)
class Summary:
    """What became of the account's pictures."""

    found: int = 0
    added: int = 0
    present: int = 0
    stand_ins: list[str] = field(default_factory=list)
    """Added of the small grey picture that the service gave, for want of an original."""
    without_original: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    not_taken_over: dict[str, str] = field(default_factory=dict)


def migrate(
    service: Annotated[Service, typer.Argument(help="Whose account it is.")],
    keys: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="JSON with the account's keys: docs/cli.md.")],
    channel: Annotated[str, typer.Option("--channel", help="The channel to add to; made if missing.")],
    data: NewDataFolder,
    originals: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder of the pictures' files, found by their names."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take over an account of Vuforia, EasyAR or Kivicube. Run again, it goes on where it was stopped.

    The account is only read. No service gives its pictures back: their originals are found by name in a folder."""
    if originals is None and service is not Service.EASYAR:
        raise typer.BadParameter("the service gives no pictures back: name the folder", param_hint="--originals")
    import httpx

    source: Any = importlib.import_module(f"cli.migrate.{service}")
    given = _read_keys(keys, source.NEEDED)
    base_url = given.get("base_url", source.BASE_URL)
    if not base_url:
        raise typer.BadParameter("base_url is missing in it: the address of the account's API", param_hint="--keys")
    summary = Summary(not_taken_over=source.LACKS)
    files = _Originals([] if originals is None else [originals])
    try:
        with httpx.Client(base_url=base_url, timeout=60) as client, opened(data) as recognizer:
            with contextlib.suppress(ChannelExists):
                recognizer.add_channel(channel)
            known = recognizer.catalogue.channel(channel)
            for one in source.found(client, given):
                summary.found += 1
                _take(recognizer, known, service, one, files, summary)
    finally:
        _tell(channel, summary, as_json=as_json)
    if summary.without_original or summary.refused:
        raise typer.Exit(1)


def _read_keys(path: Path, needed: Iterable[str]) -> Mapping[str, str]:
    """Flat, or as `obverse database add` prints a database's."""
    try:
        told = json.loads(path.read_text("utf-8"))
        flat = {**told, **told.get("server", {})}
        keys = {name: value for name, value in flat.items() if isinstance(value, str)}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise typer.BadParameter("no JSON object of texts that can be read", param_hint="--keys") from error
    if missing := [name for name in needed if not keys.get(name)]:
        raise typer.BadParameter(f"{missing[0]} is missing in it", param_hint="--keys")
    return keys


class _Originals:
    """Picture files by what they are called."""

    def __init__(self, folders: list[Path]) -> None:
        from engine.upkeep.bulk_import import files_of, identifier_of

        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for path in files_of(folders)[0] if folders else ():
            for name in {path.name, path.stem, identifier_of(path)}:
                self._by_name[name.casefold()].append(path)

    def called(self, *names: str) -> Path | None:
        """None where no file is called so. Raises ImageError where several are."""
        for name in names:
            found = self._by_name.get(name.casefold(), [])
            if len(found) > 1:
                raise ImageError(f"several originals are called so: {found[0]} and {found[1]}")
            if found:
                return found[0]
        return None


def _take(
    recognizer: Recognizer, channel: Channel, service: Service, one: Found, files: _Originals, summary: Summary
) -> None:
    """Raises QuotaExceeded and StorageError: no later picture would fare better."""
    from engine.upkeep.bulk_import import sha256

    mark = f"{service}:{one.id}"
    try:
        if recognizer.catalogue.picture(channel, one.identifier).facts.get("migrated") == mark:
            summary.present += 1
            return
    except PictureNotFound:
        pass
    try:
        original = files.called(one.name, one.identifier)
        if original is not None:
            image, facts = original.read_bytes(), {"source": str(original.resolve())}
        elif one.stand_in is not None:
            image, facts = one.stand_in, {}
        else:
            summary.without_original.append(one.name)
            refuse(one.name, "no file in the folder of originals is called so")
            return
        taken = one.uuid is not None and recognizer.catalogue.picture_by_uuid(one.uuid) is not None
        recognizer.add(
            channel,
            one.identifier,
            image,
            metadata=one.metadata,
            threshold=one.threshold,
            active=one.active,
            facts={**one.facts, **facts, "sha256": sha256(image), "migrated": mark},
            uuid=None if taken else one.uuid,
        )
    except QuotaExceeded:
        raise
    except (ImageError, GalleryError, OSError) as error:
        summary.refused[one.name] = str(error)
        refuse(one.name, error)
        return
    summary.added += 1
    if original is None:
        summary.stand_ins.append(one.name)


def _tell(channel: str, summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print_json({"channel": channel, **asdict(summary)})
        return
    lacking = len(summary.without_original)
    typer.echo(
        f"{channel}: {summary.found} found, {summary.added} added, {summary.present} there already, "
        f"{lacking} without an original, {len(summary.refused)} refused"
    )
    if summary.stand_ins:
        notices().print(f"{len(summary.stand_ins)} were added of the service's own small pictures")
    for what, why in summary.not_taken_over.items():
        notices().print(f"not taken over: {what}; {why}")
