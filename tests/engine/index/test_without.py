"""Pictures that one search does not see, as if they were not in the gallery."""

from __future__ import annotations

import pytest

from engine.index.embedded import EmbeddedIndex
from tests.support.made_index import OWN_SHARD, TAIL, asked, fill, finds, names


def without(index: EmbeddedIndex, seed: int, *hidden: str, channel: str = "one") -> list[str]:
    """All that is ranked for a photo of `seed` when the pictures of these identifiers are not seen."""
    numbers = {index.catalogue.picture(channel, identifier).id for identifier in hidden}
    return names(index, index.rank(*asked(index, seed, channel), without=numbers).pictures)


class TestWithout:
    @pytest.mark.parametrize("count", [TAIL - 1, 3 * TAIL + 2, OWN_SHARD + 12])
    def test_hidden_from_both_lists_and_the_tail(self, index: EmbeddedIndex, count: int) -> None:
        """In a tail, in a segment, in a shard of its own: not found, and the others are as before."""
        fill(index, range(count))
        for seed in (0, count // 2, count - 1):
            seen, fewer = finds(index, seed), without(index, seed, f"seed.{seed}")
            assert f"one/seed.{seed}" in seen
            assert f"one/seed.{seed}" not in fewer
            assert set(seen) - set(fewer) == {f"one/seed.{seed}"}

    def test_the_next_search_sees_them(self, index: EmbeddedIndex) -> None:
        """Nothing is remembered of what one search left out."""
        fill(index, range(2 * TAIL))
        before = finds(index, 3)
        without(index, 3, "seed.3", "seed.4")
        assert finds(index, 3) == before

    def test_numbers_that_are_not_there(self, index: EmbeddedIndex) -> None:
        """They hide nothing."""
        fill(index, range(TAIL))
        found = index.rank(*asked(index, 2), without={10**9, 0})
        assert names(index, found.pictures) == finds(index, 2)

    def test_removed_pictures_score_nothing(self, index: EmbeddedIndex) -> None:
        """What is no longer here has a score of 0, and those beside it keep theirs."""
        fill(index, range(TAIL))
        query, channels = asked(index, 3)
        ids = index.rank(query, channels, everything=True).pictures
        before = index.score(query, ids)
        index.catalogue.remove_picture("one", "seed.3")
        index.refresh()
        after = index.score(query, ids)
        assert before[0] > 0
        assert after[0] == 0
        assert (after[1:] == before[1:]).all()

    def test_room_for_the_next(self, index: EmbeddedIndex) -> None:
        """The lists go on behind what is hidden: as many candidates are named as before."""
        fill(index, range(6 * TAIL))
        query, channels = asked(index, 5)
        hidden = index.rank(query, channels).pictures[:3].tolist()
        assert (
            len(index.rank(query, channels, without=hidden).pictures) >= len(index.rank(query, channels).pictures) - 3
        )

    def test_of_everything(self, index: EmbeddedIndex) -> None:
        """Where all pictures are ranked, the hidden ones are not."""
        fill(index, range(TAIL))
        query, channels = asked(index, 3)
        hidden = index.catalogue.picture("one", "seed.3").id
        found = index.rank(query, channels, everything=True, without={hidden}).pictures
        assert len(found) == TAIL - 1
        assert hidden not in found
