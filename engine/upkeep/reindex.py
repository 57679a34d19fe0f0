"""Describe a gallery's pictures again, after the model was replaced.

While it runs the gallery's fingerprint is `UNFINISHED`: whoever opens the gallery is refused, and a run that was
interrupted is begun anew. Pictures come from the kept renditions, or from their original files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from engine.catalogue import Picture, StoredFeatures
from engine.enrol.preparation import PreparedPicture
from engine.errors import UNFINISHED, DamagedData, ImageError, OriginalsMissing, TooFewFeatures
from engine.index import snapshot
from engine.index.folder_lock import FolderLock
from engine.recognizer import Recognizer
from engine.settings import EngineSettings

_CHUNK = 200


@dataclass
class Reindexed:
    """done: pictures described anew; unusable: reasons by "channel/identifier" of those that the new model
    cannot recognise: they stay in the catalogue and are never an answer."""

    done: int = 0
    unusable: dict[str, str] = field(default_factory=dict)


def reindex(
    folder: Path,
    settings: EngineSettings,
    *,
    originals: Mapping[str, Path] | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Reindexed:
    """originals: files by identifier, for pictures without a kept rendition; tell: is called with the number of
    pictures done and of all. Raises OriginalsMissing before anything is changed, DataFolderLocked, StorageFull."""
    lock = FolderLock(folder)
    try:
        # The lock stays ours: a recognizer that held it would load, and at its end save, indexes of both models.
        recognizer = Recognizer(folder, replace(settings, threads=1), None)
        try:
            return _reindex(recognizer, originals or {}, settings.threads, tell or _say_nothing)
        finally:
            recognizer.close()
    finally:
        lock.release()


def _reindex(
    recognizer: Recognizer, originals: Mapping[str, Path], workers: int, tell: Callable[[int, int], None]
) -> Reindexed:
    catalogue = recognizer.catalogue
    total = sum(catalogue.counts().values())
    if missing := [p.identifier for p in catalogue.all_pictures() if not _has_source(recognizer, p, originals)]:
        raise OriginalsMissing(missing)
    catalogue.write_meta("fingerprint", UNFINISHED)
    result = Reindexed()

    def one(picture: Picture) -> str | None:
        return _replace(recognizer, picture, originals)

    with ThreadPoolExecutor(workers) as pool:
        for chunk in _chunks(catalogue.all_pictures()):
            for picture, reason in zip(chunk, pool.map(one, chunk), strict=True):
                if reason is None:
                    result.done += 1
                else:
                    result.unusable[f"{picture.channel}/{picture.identifier}"] = reason
                tell(result.done + len(result.unusable), total)
    # First the indexes, then the fingerprint: an end between the two leaves a gallery that is refused, not one
    # that is searched through the old model's words.
    snapshot.forget(recognizer.folder)
    catalogue.write_meta("fingerprint", recognizer.fingerprint)
    return result


def _say_nothing(done: int, total: int) -> None:
    pass


def _has_source(recognizer: Recognizer, picture: Picture, originals: Mapping[str, Path]) -> bool:
    return recognizer.catalogue.rendition(picture.id) is not None or _original(picture, originals) is not None


def _original(picture: Picture, originals: Mapping[str, Path]) -> bytes | None:
    """The file's bytes; None where there is none, or where the import remembered another content."""
    path = originals.get(picture.identifier)
    if path is None or not path.is_file():
        return None
    content = path.read_bytes()
    known = picture.facts.get("sha256")
    return content if known in (None, sha256(content).hexdigest()) else None


def _replace(recognizer: Recognizer, picture: Picture, originals: Mapping[str, Path]) -> str | None:
    """Stores new features; gives the reason where there are none to store."""
    try:
        described = _described(recognizer, picture, originals)
        stored, level, keypoints, reason = described.features, described.level, described.keypoints, None
    except (ImageError, DamagedData) as error:
        # Features of the old model must not stay: without any, the picture cannot be found, nor mislead.
        vector = bytes(recognizer.model.vocabulary.global_dimension)
        stored, level, keypoints, reason = StoredFeatures(keypoints=b"", vector=vector), 1, 0, str(error)
    recognizer.catalogue.replace_features(picture.id, stored, level=level, keypoints=keypoints)
    return reason


def _described(recognizer: Recognizer, picture: Picture, originals: Mapping[str, Path]) -> PreparedPicture:
    """From the kept rendition, and where that is damaged, from the original. Raises the ImageErrors, DamagedData."""
    kept = recognizer.catalogue.rendition(picture.id)
    damage = "its file has gone"
    if kept is not None:
        try:
            return recognizer.describe(kept, trim=False)
        except TooFewFeatures:
            raise
        except ImageError as error:
            damage = f"its kept picture cannot be read ({error}), and there is no file of it"
    original = _original(picture, originals)
    if original is None:
        raise DamagedData(damage)
    return recognizer.describe(original)


def _chunks(pictures: Iterator[Picture]) -> Iterator[list[Picture]]:
    chunk: list[Picture] = []
    for picture in pictures:
        chunk.append(picture)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
