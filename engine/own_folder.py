"""A folder of this user alone, for what can be made again: compiled kernels, a drawing library's list of fonts."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def own_folder(name: str) -> Path | None:
    """obverse-USER/NAME in the system's folder for temporary files, made where it is missing; None where none can be.

    HOME is left alone: a service often has none. What lies in it is trusted, kernels are even run. So it must be a
    folder, of this user, that nobody else can reach: one that somebody else laid ready is not taken.
    """
    try:
        temporary = Path(tempfile.gettempdir())
        if temporary == Path.cwd():  # the last resort of `tempfile`: the user's own work lies there
            return None
        if not hasattr(os, "getuid"):  # Windows: the folder for temporary files is the user's own
            place = temporary / "obverse" / name
            place.mkdir(parents=True, exist_ok=True)
            return place
        parent = temporary / f"obverse-{os.getuid()}"
        parent.mkdir(mode=0o700, exist_ok=True)
        found = parent.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            return None
        (parent / name).mkdir(exist_ok=True)
    except OSError:
        return None
    return parent / name


def keep_drawings_out_of_home() -> None:
    """For commands that draw, before Matplotlib is imported: its list of fonts goes to our own folder. Who uses
    Matplotlib keeps its folders, and the style in them."""
    try:
        known = any((Path.home() / name).exists() for name in (".config/matplotlib", ".matplotlib"))
    except RuntimeError:  # nobody knows where HOME is
        known = False
    place = own_folder("matplotlib")
    if place is not None and not known:
        os.environ.setdefault("MPLCONFIGDIR", str(place))
