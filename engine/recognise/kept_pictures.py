"""The kept pictures that verification compares with a photo."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict

from engine.catalogue import Catalogue
from engine.errors import DamagedData
from engine.image import decode_kept
from engine.verify.reference import Reference

_log = logging.getLogger(__name__)

LONG_SIDE = 320
"""Pixels at which they are compared: more than the 256 of the frame that they are rectified into."""
CACHED = 64
"""Pictures that are kept: 90 MB at most, with what was computed of them. The frames of one camera show the same few
candidates."""


class KeptPictures:
    """Decodes the catalogue's renditions, and remembers the last few. Safe for use by many threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._pictures: OrderedDict[int, Reference | None] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, picture_id: int) -> Reference | None:
        """None where no picture was kept, or a damaged one, which the log names: photos of it are recognised
        by geometry alone. A picture's number is never given to another image."""
        with self._lock:
            if picture_id in self._pictures:
                self._pictures.move_to_end(picture_id)
                return self._pictures[picture_id]
        jpeg = self._catalogue.rendition(picture_id)
        if jpeg is None:
            return None
        picture: Reference | None = None
        try:
            picture = Reference(decode_kept(jpeg, long_side=LONG_SIDE))
        except DamagedData as error:  # remembered as the others are, so that not every photo of it fills the log
            _log.error("picture number %d is judged by geometry alone: %s", picture_id, error)
        with self._lock:
            self._pictures[picture_id] = picture
            if len(self._pictures) > CACHED:
                self._pictures.popitem(last=False)
        return picture
