"""The kept pictures that verification compares with a photo."""

from __future__ import annotations

import threading
from collections import OrderedDict

from engine.catalogue import Catalogue
from engine.image import decode
from engine.values import ColorImage

LONG_SIDE = 320
"""Pixels at which they are compared: more than the 256 of the frame that they are rectified into."""
CACHED = 64
"""Decoded pictures that are kept: 20 MB. The frames of one camera show the same few candidates."""


class KeptPictures:
    """Decodes the catalogue's renditions, and remembers the last few. Safe for use by many threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._pictures: OrderedDict[int, ColorImage] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, picture_id: int) -> ColorImage | None:
        """RGB; None where no picture was kept. A picture's number is never given to another image."""
        with self._lock:
            if picture_id in self._pictures:
                self._pictures.move_to_end(picture_id)
                return self._pictures[picture_id]
        jpeg = self._catalogue.rendition(picture_id)
        if jpeg is None:
            return None
        picture = decode(jpeg, long_side=LONG_SIDE)[0]
        with self._lock:
            self._pictures[picture_id] = picture
            if len(self._pictures) > CACHED:
                self._pictures.popitem(last=False)
        return picture
