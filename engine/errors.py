"""Every error that the engine raises on purpose.

    ObverseError
    |- ImageError                the bytes of a picture or photo
    |  |- NotAnImage             no format that anyone knows
    |  |- UnsupportedFormat      an image, but not JPEG or PNG (nor WebP, where the caller allows it)
    |  |- ImageTooLarge          more bytes or pixels than allowed; nothing was decoded
    |  |- ImageTooSmall          a side below the minimum
    |  |- TruncatedImage         the header is right, the pixels cannot be read to their end
    |  `- TooFewFeatures         decoded, but with too little structure to be recognised
    |- GalleryError              what is asked of a gallery
    |  |- ChannelNotFound
    |  |- ChannelExists
    |  |- PictureNotFound
    |  |- IdentifierTaken
    |  |- InvalidValue           an identifier, channel name, threshold or metadata outside its rule
    |  `- QuotaExceeded          the channel holds as many pictures as it may
    |- StorageError              the data folder
    |  |- DataFolderLocked       another server holds it
    |  |- StorageFull            no room left on the disk; what was being written is undone
    |  |- StorageBusy            another process was writing for too long
    |  |- StorageFailed          the disk or the system refused to open, read or write a file
    |  |- ReadOnlyData           what was to be changed may only be read
    |  |- OtherForm              the catalogue is of a form that cannot be worked with
    |  |- ModelMismatch          filled by another model or other feature settings
    |  |- DamagedData            a file that cannot be read as what it should be
    |  |- FolderNotEmpty         a restore would replace what is there
    |  `- OriginalsMissing       pictures to describe anew, of which neither a rendition nor a file is left
    |- ModelError                a model file or its card cannot be used
    `- ResearchError             what a comparison, an evaluation set or a training refuses

Each carries its facts as attributes, and a message with advice where there is any.
"""

from __future__ import annotations

from collections.abc import Sequence

UNFINISHED = "reindexing"
"""The fingerprint of a gallery whose pictures are being described anew."""


class ObverseError(Exception):
    """Parent of all errors of this package."""


class ImageError(ObverseError):
    """The bytes of a picture or photo cannot be used."""


class NotAnImage(ImageError):
    def __init__(self) -> None:
        super().__init__("not an image: the bytes start like no known format")


class UnsupportedFormat(ImageError):
    def __init__(self, found: str, allowed: tuple[str, ...]) -> None:
        self.found, self.allowed = found, allowed
        super().__init__(f"{found} is not supported; send {' or '.join(allowed)}")


class ImageTooLarge(ImageError):
    def __init__(self, what: str, actual: int, limit: int) -> None:
        self.what, self.actual, self.limit = what, actual, limit
        super().__init__(f"{actual} {what}, at most {limit} are accepted")


class ImageTooSmall(ImageError):
    def __init__(self, width: int, height: int, minimum: int) -> None:
        self.width, self.height, self.minimum = width, height, minimum
        super().__init__(f"{width} x {height} pixels; each side needs {minimum} or more")


class TruncatedImage(ImageError):
    def __init__(self, format_name: str) -> None:
        self.format_name = format_name
        super().__init__(f"the {format_name} data is damaged or ends too early")


class TooFewFeatures(ImageError):
    def __init__(self, actual: int, minimum: int, why: str = "the picture has too little detail") -> None:
        self.actual, self.minimum, self.why = actual, minimum, why
        super().__init__(f"{actual} keypoints found, {minimum} are needed: {why}")


class GalleryError(ObverseError):
    """What was asked of a gallery cannot be done."""


class ChannelNotFound(GalleryError):
    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"no channel named {channel!r}")


class ChannelExists(GalleryError):
    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"a channel named {channel!r} exists already")


class PictureNotFound(GalleryError):
    def __init__(self, channel: str, identifier: str) -> None:
        self.channel, self.identifier = channel, identifier
        super().__init__(f"channel {channel!r} has no picture {identifier!r}")


class IdentifierTaken(GalleryError):
    def __init__(self, channel: str, identifier: str) -> None:
        self.channel, self.identifier = channel, identifier
        super().__init__(f"channel {channel!r} already has a picture {identifier!r}; remove it first")


class InvalidValue(GalleryError):
    def __init__(self, name: str, rule: str) -> None:
        self.name, self.rule = name, rule
        super().__init__(f"{name}: {rule}")


class QuotaExceeded(GalleryError):
    def __init__(self, channel: str, quota: int) -> None:
        self.channel, self.quota = channel, quota
        super().__init__(f"channel {channel!r} may hold {quota} pictures and is full")


class StorageError(ObverseError):
    """The data folder cannot be used as asked."""


class DataFolderLocked(StorageError):
    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(f"another server or import holds {folder}; stop it first or use another folder")


class StorageFull(StorageError):
    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(f"the disk that holds {folder} is full; what was being written is undone")


class StorageBusy(StorageError):
    def __init__(self, path: str, seconds: int) -> None:
        self.path, self.seconds = path, seconds
        super().__init__(f"{path}: another process has been writing for more than {seconds} s; try again")


class StorageFailed(StorageError):
    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class ReadOnlyData(StorageError):
    def __init__(self, path: str, advice: str = "nothing was changed") -> None:
        self.path = path
        super().__init__(f"{path} may not be written: {advice}")


class OtherForm(StorageError):
    """The catalogue's tables are of a newer form, or of an older one that may not be upgraded."""


class ModelMismatch(StorageError):
    def __init__(self, stored: str, current: str) -> None:
        self.stored, self.current = stored, current
        advice = "run `obverse reindex`, or set the model that filled it"
        if stored == UNFINISHED:
            stored, advice = "none: a `reindex` was interrupted", "run `obverse reindex` again"
        super().__init__(f"the gallery was filled with model {stored}, this installation uses {current}: {advice}")


class DamagedData(StorageError):
    """A file of the data folder is not what it should be."""


class FolderNotEmpty(StorageError):
    """A restore would replace what is there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(f"{folder} is not empty; restore into another folder, or replace it with --force")


class OriginalsMissing(StorageError):
    """Pictures that can be described from nothing."""

    def __init__(self, identifiers: Sequence[str]) -> None:
        self.identifiers = tuple(identifiers)
        some = ", ".join(identifiers[:5]) + (", …" if len(identifiers) > 5 else "")
        super().__init__(
            f"{len(identifiers)} pictures have no kept rendition ({some}): give the folder of their files "
            "with --source, or remove them; nothing was changed"
        )


class ModelError(ObverseError):
    """A model file or its card cannot be used."""


class ResearchError(ObverseError, ValueError):
    """What is asked of a comparison, an evaluation set or a training cannot be done; also a ValueError."""
