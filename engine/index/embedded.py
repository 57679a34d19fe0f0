"""The searchable view of a catalogue: records, shortlists, and how they follow the log of changes.

Every picture has a slot, numbered in the order of addition. Slots are never reused; removed ones are
hidden at once and left out when indexes are built anew. Channels above `OWN_SHARD` pictures have a shard of
their own, the small ones share one. A shard is a list of immutable segments and a short tail of newer
slots, which is ranked whole: an addition is visible in the next search without touching an index.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np

from engine.catalogue import Catalogue
from engine.describe.records import KEYPOINTS
from engine.describe.vocabulary import Vocabulary
from engine.index.segments import IndexSegment, Shard
from engine.index.slots import SlotTable
from engine.settings import EngineSettings
from engine.shortlist import global_index, votes
from engine.shortlist.lists import Shortlist, _best
from engine.values import Array, FloatArray

OWN_SHARD = 5_000
TAIL = 512
"""Newest pictures of a shard that are ranked whole, about 3 ms a photo, before a segment is made of them."""
SHARED = 0
"""The shard of the small channels; other shards have their channel's number."""
_BATCH = 500


class Gallery:
    """Follows the catalogue. Searches may run together and beside `refresh`."""

    def __init__(self, catalogue: Catalogue, vocabulary: Vocabulary, settings: EngineSettings) -> None:
        self.catalogue, self.settings, self.vocabulary = catalogue, settings, vocabulary
        self.table = SlotTable(vocabulary.global_dimension)
        self.seq = 0
        self.shards: dict[int, Shard] = {SHARED: Shard()}
        self.small: dict[int, list[int]] = {}
        self.sizes: dict[int, int] = {}
        self.version = 0
        self.lock = threading.RLock()
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="index-builder")
        self._builds: dict[int, Future[None]] = {}
        self._masks: tuple[tuple[int, tuple[int, ...]], Array] | None = None
        self.saved_as: dict[int, str] = {}
        """File names of the segments that `engine.index.snapshot` has written, by their `id`."""

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
                for start in range(0, len(living), _BATCH):
                    for row in self.catalogue.features(sorted(living[start : start + _BATCH])):
                        self.take_in(*row)
                for change in last.values():
                    if change.kind == "remove":
                        self._hide(change.picture_id)
                self.seq = changes[-1].seq
                self.version += 1
            for number in list(self.shards):
                self._tidy(number)

    def take_in(self, picture_id: int, channel: int, active: bool, keypoints: bytes, vector: bytes) -> None:
        """A picture of the catalogue, new or changed."""
        slot = self.table.slot_of(picture_id)
        if slot is not None:
            self.table.visible[slot] = active
            return
        slot = self.table.append(picture_id, channel, active, keypoints, vector)
        self.enlist(slot, channel)

    def enlist(self, slot: int, channel: int) -> None:
        """Makes a new slot part of its channel's shard."""
        self.sizes[channel] = self.sizes.get(channel, 0) + 1
        if channel in self.shards:
            self.shards[channel].tail.append(slot)
            return
        self.small.setdefault(channel, []).append(slot)
        self.shards[SHARED].tail.append(slot)
        if self.sizes[channel] > OWN_SHARD:
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
        shard = self.shards[number]
        running = self._builds.get(number)
        if len(shard.tail) >= TAIL and (running is None or running.done()):
            self._builds[number] = self._builder.submit(self.build, number)

    def wait_for_builds(self) -> None:
        """Until no segment is being built and no tail is due."""
        while True:
            with self.lock:
                running = [build for build in self._builds.values() if not build.done()]
                due = [n for n, shard in self.shards.items() if len(shard.tail) >= TAIL]
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
            (base, grown), counts = table.arrays, table.keypoints
        # Searches and additions go on: rows below the table's count never change.
        built = IndexSegment(
            votes.build_segment(votes.settings_for(len(slots)), slots, base, grown, counts),
            global_index.build_index(slots, table.vectors(slots)),
        )
        with self.lock:
            gone, done = {id(s) for s in merged}, set(taken)
            shard.segments = (*(s for s in shard.segments if id(s) not in gone), built)
            shard.tail = [s for s in shard.tail if s not in done]

    # Searching

    def size(self, channels: Sequence[int]) -> int:
        return sum(self.sizes.get(c, 0) for c in channels)

    def shortlist(
        self,
        channels: Sequence[int],
        descriptors: FloatArray,
        signatures: Array,
        queries: FloatArray,
        *,
        votes_depth: int,
        global_depth: int,
        small_whole: bool = True,
        pool: Executor | None = None,
    ) -> Shortlist:
        """Candidates of the channels. descriptors (N, D), signatures (N,) of the photo's keypoints;
        queries: (Q, G) its global descriptor and those of its windows; small_whole: False has the lists
        search small channels, too, to see how good they are."""
        with self.lock:
            table = self.table
            always: list[Array] = []
            searched: list[tuple[Shard, Array]] = []
            small = [c for c in channels if c in self.small]
            if small_whole and sum(self.sizes[c] for c in small) <= self.settings.exhaustive_up_to:
                always += [np.array(self.small[c], np.int64) for c in small]
            elif small:
                searched.append((self.shards[SHARED], self._mask(tuple(sorted(small)))))
            searched += [(self.shards[c], table.visible) for c in channels if c in self.shards and c != SHARED]
            work = [(shard.segments, np.array(shard.tail, np.int64), allowed) for shard, allowed in searched]
        voted: list[tuple[Array, FloatArray]] = []
        similar: list[tuple[Array, FloatArray]] = []
        words: dict[tuple[int, int], Array] = {}
        for segments, tail, allowed in work:
            always.append(tail[allowed[tail] == 1])
            for segment in segments:
                preset = segment.votes.settings
                if self.settings.use_votes and votes_depth:
                    key = (preset.half_bits, preset.words)
                    if key not in words:
                        words[key] = self.vocabulary.nearest_words(
                            descriptors, half_bits=preset.half_bits, count=preset.words
                        )
                    voted.append(
                        votes.search(segment.votes, words[key], signatures, allowed, depth=votes_depth, pool=pool)
                    )
                if self.settings.use_global and global_depth:
                    similar.append(global_index.search(segment.vectors, queries, allowed, depth=global_depth))
        slots = np.concatenate(always) if always else np.zeros(0, np.int64)
        return Shortlist(_best(voted, votes_depth), _best(similar, global_depth), slots[table.visible[slots] == 1])

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
                "records": int(self.table.count * KEYPOINTS * 16),
                "votes": sum(s.votes.bytes for s in segments),
                "global": sum(s.vectors.bytes for s in segments),
            }
