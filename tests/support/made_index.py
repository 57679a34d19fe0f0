"""An index of pictures that do not exist, and what it finds."""

from __future__ import annotations

import numpy as np

from engine.catalogue import Catalogue, Picture
from engine.describe.query import Query
from engine.describe.vocabulary import Vocabulary
from engine.index import snapshot
from engine.index.embedded import EmbeddedIndex
from engine.index.ranking import Ranking
from engine.settings import EngineSettings
from engine.shortlist.lists import Shortlist
from tests.support.made_records import made, photographed, stored

TAIL, OWN_SHARD = 8, 30
SETTINGS = EngineSettings(exhaustive_up_to=0, tail=TAIL, own_shard=OWN_SHARD, votes_depth=10, global_depth=10)
"""Segments and shards of their own after a few pictures instead of thousands, and nothing is ranked whole but tails:
what is found is found by the lists."""


def add(index: EmbeddedIndex, seed: int, channel: str = "one", *, active: bool = True) -> Picture:
    """The made picture `seed`, as seed.N."""
    if channel not in index.catalogue.counts():
        index.catalogue.add_channel(channel)
    return index.catalogue.add_picture(
        channel, f"seed.{seed}", stored(index.vocabulary, seed), level=3, size=(480, 480), keypoints=40, active=active
    )


def fill(index: EmbeddedIndex, seeds: range, channel: str = "one") -> None:
    for seed in seeds:
        add(index, seed, channel)
    index.refresh()
    index.wait_for_builds()


def asked(index: EmbeddedIndex, seed: int, *channels: str) -> tuple[Query, list[int]]:
    """A photo of the made picture `seed`, and the numbers of the channels that it is sought in."""
    photo = photographed(made(index.vocabulary, seed), seed)
    index.refresh()
    return Query(photo, index.vocabulary), index.catalogue.channel_numbers(channels or ("one",))


def ranked(index: EmbeddedIndex, seed: int, *channels: str) -> Ranking:
    """Of a photo of the made picture `seed`."""
    return index.rank(*asked(index, seed, *channels))


def shortlist(index: EmbeddedIndex, seed: int, *channels: str) -> Shortlist:
    """What each list finds, picture numbers."""
    return index.shortlist(*asked(index, seed, *channels), votes_depth=10, global_depth=10)


def names(index: EmbeddedIndex, pictures: np.ndarray) -> list[str]:
    """channel/identifier of picture numbers; "gone" where the catalogue has no such picture any more."""
    known = index.catalogue.pictures_by_id(pictures.tolist())
    return [f"{known[i].channel}/{known[i].identifier}" if i in known else "gone" for i in pictures.tolist()]


def finds(index: EmbeddedIndex, seed: int, *channels: str) -> list[str]:
    """All that is ranked for a photo of `seed`, best first."""
    return names(index, ranked(index, seed, *channels).pictures)


def everywhere(index: EmbeddedIndex, *channels: str) -> set[str]:
    """All that is ever ranked, asked with every picture's photo."""
    return {name for seed in range(0, 200, 9) for name in finds(index, seed, *channels)}


def reopened(catalogue: Catalogue, vocabulary: Vocabulary) -> EmbeddedIndex:
    """A new index from what is saved, before it reads the log."""
    index = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    snapshot.load(index, catalogue.folder)
    return index


def filled(index: EmbeddedIndex) -> None:
    """Tail, segments, a shard of its own, removed and inactive pictures."""
    fill(index, range(OWN_SHARD + 10))
    fill(index, range(100, 130), "two")
    for seed in (0, 20, OWN_SHARD + 9):
        index.catalogue.remove_picture("one", f"seed.{seed}")
    index.catalogue.update_picture("two", "seed.101", active=False)
    index.refresh()


def assert_found(index: EmbeddedIndex) -> None:
    """Everything that is there is found, and nothing that is not."""
    for seed in (1, 19, 38):
        assert f"one/seed.{seed}" in finds(index, seed)
    for seed in (100, 129):
        assert f"two/seed.{seed}" in finds(index, seed, "two")
    found = {n for seed in (0, 20, 39, 101) for n in finds(index, seed, "one", "two")}
    assert not found & {"gone", "one/seed.0", "one/seed.20", "one/seed.39", "two/seed.101"}
