"""The cameras that send frames now, each told from the others by who asks, where, and from which address."""

from __future__ import annotations

from collections import OrderedDict

from engine.recognise.frames import Frames

MOST = 1_000
"""Clients that are remembered, 4 KB each; the one that was silent longest is forgotten first, and is then looked at as
closely as a new one."""


class Cameras:
    """Belongs to the server's event loop."""

    def __init__(self, seconds: float, *, most: int = MOST) -> None:
        """seconds: how long a missed frame stands for those that resemble it; 0: for none."""
        self._seconds, self._most = seconds, most
        self._known: OrderedDict[tuple[int, str | None, str], Frames] = OrderedDict()

    def of(self, user_id: int, channel: str | None, client: str) -> Frames | None:
        """client: an address or a session; empty where it is not known. None where every photo stands for itself."""
        if not client or not self._seconds:
            return None
        key = user_id, channel, client
        frames = self._known.pop(key, None) or Frames(self._seconds)
        self._known[key] = frames
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return frames
