"""The index that lives in the server's own process and on its disk, and how it follows the log of changes.

Every picture has a slot, numbered in the order of addition. Slots are never reused; removed ones are
hidden at once and left out when indexes are built anew. Channels above `EngineSettings.own_shard` pictures have a
shard of their own, the small ones share one. A shard is a list of immutable segments and a short tail of newer
slots, which is ranked whole: an addition is visible in the next search without touching an index.

What others know of an index is this: `refresh`, `rank`, counts and sizes, all in picture numbers.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Self

import numpy as np

from engine.catalogue import Catalogue
from engine.catalogue.log import FEATURES_AT_ONCE
from engine.describe.query import Query
from engine.describe.records import RECORD_BYTES
from engine.describe.vocabulary import Vocabulary
from engine.index.ranking import Part, Ranking, best_first, score_slots, search_lists
from engine.index.renewal import Closing, Renewal
from engine.index.segments import IndexSegment, Shard
from engine.index.slots import SlotTable
from engine.settings import EngineSettings
from engine.shortlist import global_index, votes
from engine.shortlist.lists import Shortlist
from engine.threads import one_thread_each
from engine.timing import Clock
from engine.values import Array, FloatArray

SHARED = 0
"""The shard of the small channels; other shards have their channel's number."""
_log = logging.getLogger(__name__)


class EmbeddedIndex:
    """Follows one catalogue. Searches may run together and beside `refresh`."""

    def __init__(
        self,
        catalogue: Catalogue,
        vocabulary: Vocabulary,
        settings: EngineSettings,
        *,
        pool: Executor | None = None,
    ) -> None:
        """pool: threads that may share the work of one search."""
        self.catalogue, self.vocabulary, self.settings, self.pool = catalogue, vocabulary, settings, pool
        self.table = SlotTable(vocabulary.global_dimension)
        self.seq = 0
        """The log position up to which all is taken in."""
        self.shards: dict[int, Shard] = {SHARED: Shard()}
        self.small: dict[int, list[int]] = {}
        self.sizes: dict[int, int] = {}
        self.version = 0
        self.lock = threading.RLock()
        self.renewal = Renewal(self)
        """Of what was loaded, where it is damaged."""
        self._loaded = False
        """Whether what is searched was read from files, and may be damaged."""
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="index-builder")
        self._builds: dict[int, Future[None]] = {}
        self._not_before: dict[int, int] = {}
        """By shard whose last build failed: how long its tail must be for the next."""
        self._masks: tuple[tuple[int, tuple[int, ...]], Array] | None = None

    # What was saved

    def adopt(self, table: SlotTable, shards: dict[int, Shard], seq: int) -> None:
        """Takes the place of an empty index; seq: the log position up to which the rest has all taken in."""
        self.table, self.shards, self.seq, self._loaded = table, shards, seq, True
        self.recount()

    def built_anew(self) -> Self:
        """Another index of the whole catalogue."""
        fresh = type(self)(self.catalogue, self.vocabulary, self.settings, pool=self.pool)
        fresh.renewal.closing = self.renewal.closing
        try:
            fresh.refresh()
            fresh.wait_for_builds()
        finally:
            fresh._builder.shutdown(wait=True)
        return fresh

    def become(self, fresh: Self) -> int:
        """Goes on with what another has; gives its number of pictures."""
        with self.lock:
            self.table, self.shards, self.seq, self._loaded = fresh.table, fresh.shards, fresh.seq, False
            self.small, self.sizes, self._builds = fresh.small, fresh.sizes, {}
            self._not_before = fresh._not_before
            self.version += 1
            return self.pictures

    def recount(self) -> None:
        """Sizes and slots by channel, from a loaded table."""
        table = self.table
        alive = np.flatnonzero(table.alive[: table.count])
        self.version += 1
        if not len(alive):
            return
        channels = table.channels[alive]
        order = np.argsort(channels, kind="stable")
        numbers, starts = np.unique(channels[order], return_index=True)
        for number, members in zip(numbers, np.split(alive[order], starts[1:]), strict=True):
            self.sizes[int(number)] = len(members)
            if int(number) not in self.shards:
                self.small[int(number)] = members.tolist()

    def close(self) -> None:
        self.renewal.close()
        self._builder.shutdown(wait=True)

    # Following the log

    def refresh(self) -> None:
        """Takes in all that was committed since, by this process or another."""
        if self.catalogue.last_seq() == self.seq:
            return
        with self.lock:
            while changes := self.catalogue.changes(after=self.seq):
                last = {change.picture_id: change for change in changes}
                living = [c.picture_id for c in last.values() if c.kind != "remove"]
                for start in range(0, len(living), FEATURES_AT_ONCE):
                    if self.renewal.closing.is_set():
                        raise Closing
                    for row in self.catalogue.features(sorted(living[start : start + FEATURES_AT_ONCE])):
                        self.insert(*row)
                for change in last.values():
                    if change.kind == "remove":
                        self._hide(change.picture_id)
                self.seq = changes[-1].seq
                self.version += 1
            for number in list(self.shards):
                self._tidy(number)

    def insert(self, picture_id: int, channel: int, active: bool, keypoints: bytes, vector: bytes) -> None:
        """Takes in a picture of the catalogue, new or changed."""
        slot = self.table.slot_of(picture_id)
        if slot is not None:
            self.table.visible[slot] = active
            return
        slot = self.table.append(picture_id, channel, active, keypoints, vector)
        self._join_shard(slot, channel)

    def _join_shard(self, slot: int, channel: int) -> None:
        self.sizes[channel] = self.sizes.get(channel, 0) + 1
        if channel in self.shards:
            self.shards[channel].tail.append(slot)
            return
        self.small.setdefault(channel, []).append(slot)
        self.shards[SHARED].tail.append(slot)
        if self.sizes[channel] > self.settings.own_shard:
            self._give_own_shard(channel)

    def _give_own_shard(self, channel: int) -> None:
        mine = self.small.pop(channel)
        shared, members = self.shards[SHARED], set(mine)
        shared.tail = [s for s in shared.tail if s not in members]
        self.shards[channel] = Shard(tail=[s for s in mine if self.table.alive[s]])

    def _hide(self, picture_id: int) -> None:
        slot = self.table.slot_of(picture_id)
        if slot is None or not self.table.alive[slot]:
            return
        channel = int(self.table.channels[slot])
        self.table.visible[slot] = self.table.alive[slot] = 0
        self.sizes[channel] -= 1
        if channel in self.small:
            self.small[channel].remove(slot)

    # Building segments, in the background

    def _tidy(self, number: int) -> None:
        running = self._builds.get(number)
        if self._is_due(number) and (running is None or running.done()):
            self._builds[number] = self._builder.submit(self._build_or_say, number)

    def _is_due(self, number: int) -> bool:
        return len(self.shards[number].tail) >= max(self.settings.tail, self._not_before.get(number, 0))

    def _build_or_say(self, number: int) -> None:
        """What fails is tried again when twice as much waits: the tail is ranked whole meanwhile, and all is found."""
        try:
            self.build(number)
        except Exception as error:  # in a thread that nobody waits for, whatever it is goes unheard
            with self.lock:
                waiting = len(self.shards.get(number, Shard()).tail)
                self._not_before[number] = 2 * waiting
            _log.exception("the newest %d pictures of shard %d stay without an index: %s", waiting, number, error)
        else:
            self._not_before.pop(number, None)

    def wait_for_builds(self) -> None:
        """Until no segment is being built and no tail is due; one that cannot be built is logged."""
        while True:
            with self.lock:
                running = [build for build in self._builds.values() if not build.done()]
                due = [number for number in self.shards if self._is_due(number)]
                if not running:
                    for number in due:
                        self._tidy(number)
                    running = [build for build in self._builds.values() if not build.done()]
            if not running:
                return
            for build in running:
                build.result()

    def build(self, number: int, *, whole: bool = False) -> None:
        """One segment of a shard's tail and of all older segments not larger than twice what they join: each
        picture is moved a logarithmic number of times. whole: of all segments."""
        with self.lock:
            shard = self.shards[number]
            taken = list(shard.tail)
            merged: list[IndexSegment] = []
            total = len(taken)
            for segment in reversed(shard.segments):
                if segment.pictures > 2 * total and not whole:
                    break
                merged.append(segment)
                total += segment.pictures
            slots = np.concatenate([*(s.slots for s in merged), np.array(taken, np.int64)])
            own = self.table.channels[slots] == number
            if number == SHARED:
                own = np.isin(self.table.channels[slots], [c for c in self.shards if c != SHARED], invert=True)
            slots = np.sort(slots[own & (self.table.alive[slots] == 1)])
            table = self.table
            (base, later), counts = table.arrays, table.keypoints
        # Searches and additions go on: rows below the table's count never change.
        with one_thread_each():
            built = IndexSegment(
                votes.build_segment(votes.settings_for(len(slots)), slots, base, later, counts),
                global_index.build_index(slots, table.vectors(slots)),
            )
        with self.lock:
            gone, done = {id(s) for s in merged}, set(taken)
            shard.segments = (*(s for s in shard.segments if id(s) not in gone), built)
            shard.tail = [s for s in shard.tail if s not in done]

    # Searching

    def rank(
        self,
        query: Query,
        channels: Sequence[int],
        *,
        deeper: int = 1,
        everything: bool = False,
        without: Collection[int] = (),
        clock: Clock | None = None,
    ) -> Ranking:
        """The channels' pictures that the lists name, ranked by geometry, with the records of as many as are verified.

        deeper: how many times as deep as the settings say the lists are read; everything: all pictures are ranked
        (a ceiling to compare with); without: pictures that this search does not see, as if they were not there. clock:
        counts the stages "shortlist" and "rank".

        Where what was loaded from files turns out to be damaged, all is built anew first.
        """
        clock = clock or Clock()
        while True:
            table = self.table
            try:
                ranking = self._rank(table, query, channels, deeper, everything, without, clock)
            except MemoryError:  # says nothing about the files, and to build anew takes more of it
                raise
            except Exception as error:  # numbers that nobody wrote make NumPy and FAISS raise whatever they like
                if table is self.table:
                    if not self._loaded or self.renewal.closing.is_set():  # ours, and it would only come again
                        raise
                    self.renewal.build_anew(table, f"{type(error).__name__} at a search: {error}")
                continue
            if ranking is not None:
                return ranking

    def _rank(
        self,
        table: SlotTable,
        query: Query,
        channels: Sequence[int],
        deeper: int,
        everything: bool,
        without: Collection[int],
        clock: Clock,
    ) -> Ranking | None:
        """None where another index has taken this one's place meanwhile: slots of the one are nothing to the other's
        table."""
        settings = self.settings
        with clock.stage("shortlist"):
            if everything:
                slots = self._visible(channels)
                slots = slots[~np.isin(slots, self._hidden(without))]
            else:
                depths = deeper * settings.votes_depth, deeper * settings.global_depth
                slots = self._shortlist(query, channels, *depths, small_whole=True, without=without).union()
        if table is not self.table:
            return None
        with clock.stage("rank"):
            scores = score_slots(table, query, slots, pool=self.pool)
            return best_first(table, slots, scores, records=settings.verified)

    def shortlist(self, query: Query, channels: Sequence[int], *, votes_depth: int, global_depth: int) -> Shortlist:
        """Picture numbers by each list, which search the small channels too, to see how good they are."""
        found = self._shortlist(query, channels, votes_depth, global_depth, small_whole=False)
        ids = self.table.picture_ids
        return Shortlist(ids[found.votes], ids[found.by_global], ids[found.always])

    def score(self, query: Query, pictures: Array) -> FloatArray:
        """(C,) float32 scores of the ranking by geometry of (C,) picture numbers; 0 for those that are not here."""
        slots = self.table.slots_of(pictures)
        here = slots >= 0
        here[here] = self.table.alive[slots[here]] == 1
        scores = np.zeros(len(slots), np.float32)
        scores[here] = score_slots(self.table, query, slots[here], pool=self.pool)
        return scores

    def extract(self, pictures: Array) -> tuple[Array, Array, Array]:
        """Copies of what is kept of (N,) pictures that are here: records (N, 400, 2) uint64, their keypoints (N,)
        int32, and vectors (N, G) int8. For who builds lists of his own."""
        slots = self.table.slots_of(pictures)
        records = np.zeros((len(slots), *self.table.arrays[0].shape[1:]), np.uint64)
        for record, slot in zip(records, slots, strict=True):
            rows = self.table.records(int(slot))
            record[: len(rows)] = rows
        return records, self.table.keypoints[slots], self.table.vectors(slots)

    def _shortlist(
        self,
        query: Query,
        channels: Sequence[int],
        votes_depth: int,
        global_depth: int,
        *,
        small_whole: bool,
        without: Collection[int] = (),
    ) -> Shortlist:
        """Slots. small_whole: small channels are ranked whole where they hold few pictures together."""
        hidden = self._hidden(without)
        with self.lock:
            visible = self._hiding(self.table.visible, hidden)
            whole: list[Array] = []
            searched: list[tuple[Shard, Array]] = []
            small = [c for c in channels if c in self.small]
            if small_whole and sum(self.sizes[c] for c in small) <= self.settings.exhaustive_up_to:
                whole = [np.array(self.small[c], np.int64) for c in small]
            elif small:
                searched.append((self.shards[SHARED], self._hiding(self._mask(tuple(sorted(small))), hidden)))
            searched += [(self.shards[c], visible) for c in channels if c in self.shards and c != SHARED]
            parts = [Part(s.segments, np.array(s.tail, np.int64), allowed) for s, allowed in searched]
        depths = {"votes_depth": votes_depth, "global_depth": global_depth}
        found = search_lists(parts, query, self.settings, **depths, pool=self.pool)
        always = np.concatenate([*whole, found.always])
        always = always[(self.table.visible[always] == 1) & ~np.isin(always, hidden)]
        return Shortlist(found.votes, found.by_global, always)

    def _hidden(self, without: Collection[int]) -> Array:
        """Slots of those of the pictures that are here."""
        slots = self.table.slots_of(np.array(sorted(without), np.int64))
        return slots[slots >= 0]

    @staticmethod
    def _hiding(allowed: Array, hidden: Array) -> Array:
        """(S,) uint8: the same less the hidden slots."""
        if not len(hidden):
            return allowed
        fewer = allowed.copy()
        fewer[hidden] = 0
        return fewer

    def _visible(self, channels: Sequence[int]) -> Array:
        """Slots of all the channels' pictures that a search may see."""
        table, count = self.table, self.table.count
        return np.flatnonzero(np.isin(table.channels[:count], list(channels)) & (table.visible[:count] == 1))

    def _mask(self, channels: tuple[int, ...]) -> Array:
        """(S,) uint8: visible pictures of these channels; the last one asked for is kept."""
        key = (self.version, channels)
        if self._masks is None or self._masks[0] != key:
            count = self.table.count
            wanted = np.zeros(int(self.table.channels[:count].max(initial=0)) + 1, np.uint8)
            wanted[list(channels)] = 1
            self._masks = key, wanted[self.table.channels[:count]] & self.table.visible[:count]
        return self._masks[1]

    def memory(self) -> dict[str, int]:
        """Bytes that each part takes in memory (mapped files count, though the system may drop them)."""
        with self.lock:
            segments = [s for shard in self.shards.values() for s in shard.segments]
            return {
                "records": self.table.count * RECORD_BYTES,
                "votes": sum(s.votes.bytes for s in segments),
                "global": sum(s.vectors.bytes for s in segments),
            }

    # Counts and sizes

    @property
    def pictures(self) -> int:
        """All that are here, switched-off ones too."""
        return sum(self.sizes.values())

    @property
    def unsaved(self) -> int:
        """Pictures that are in memory alone."""
        return self.table.unsaved

    def describe(self) -> dict[int, dict[str, Any]]:
        """By shard (SHARED: the small channels'): "segments", each with "pictures", the kind "global" and the preset
        "votes"; "tail": how many of the newest pictures are ranked whole."""
        with self.lock:
            return {
                number: {
                    "segments": [
                        {"pictures": s.pictures, "global": s.vectors.kind, "votes": vars(s.votes.settings)}
                        for s in shard.segments
                    ],
                    "tail": len(shard.tail),
                }
                for number, shard in self.shards.items()
            }
