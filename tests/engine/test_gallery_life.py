"""A gallery's whole life against a plain dictionary: whatever happens to it, it holds and answers what it was given.

Hypothesis draws the events: changes by the holder or by another view beside it, saves, merges, restarts and crashes.
After each step every view must list what the dictionary holds, and recognise the posters that were touched.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.catalogue import Picture
from engine.errors import ChannelExists, ChannelNotFound, IdentifierTaken, PictureNotFound
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.drawn import poster

SETTINGS = EngineSettings(tail=3, own_shard=4, second_look=False)
"""Segments are made of a few pictures instead of hundreds, so that a short life has many and merges them. A second look
at posters that are not there would take most of the time, and touches no index."""
CHANNELS = ("one", "two", "three")
NAMES = tuple(f"pic.{number}" for number in range(12))
SEEDS = tuple(range(10))
FILLED = {"one": SEEDS[:4], "two": SEEDS[2:5]}
Place = tuple[str, str]
"""Channel and identifier."""


@functools.cache
def jpeg(seed: int) -> bytes:
    return encode_jpeg(poster(seed, width=180, height=240))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """What the dictionary knows of a picture. seed: of the poster that it shows."""

    seed: int
    active: bool
    threshold: float | None
    uuid: str


class GalleryLife(RuleBasedStateMachine):
    """A folder, the view that holds it, perhaps another beside it, and the dictionary."""

    start: Path
    """A folder whose channels hold the posters of FILLED, as pic.0 and so on; every life begins with a copy."""

    @initialize(ranked_whole=st.sampled_from([0, 1000]))
    def begin(self, ranked_whole: int) -> None:
        """Two channels with pictures, so that a short life is not spent on filling them. ranked_whole: up to so many
        pictures small channels are searched without a segment."""
        self.settings = dataclasses.replace(SETTINGS, exhaustive_up_to=ranked_whole)
        self.folder = Path(tempfile.mkdtemp(dir=self.start.parent))
        shutil.copytree(self.start, self.folder, dirs_exist_ok=True)
        self.holder = Recognizer.open(self.folder, self.settings)
        self.beside: Recognizer | None = None
        self.pictures: dict[str, dict[str, Stored]] = {channel: {} for channel in FILLED}
        for channel, seeds in FILLED.items():
            for name, seed in zip(NAMES, seeds, strict=False):
                self.keep((channel, name), self.holder.get(channel, name), seed)

    def teardown(self) -> None:
        if hasattr(self, "holder"):
            self.leave()
            self.holder.close()
            shutil.rmtree(self.folder)

    def views(self) -> list[Recognizer]:
        return [self.holder] if self.beside is None else [self.holder, self.beside]

    def places(self) -> list[Place]:
        return [(channel, name) for channel, named in sorted(self.pictures.items()) for name in sorted(named)]

    def new_seeds(self, channel: str) -> list[int]:
        """Posters that the channel does not hold: what is twice in a channel has no right answer."""
        return sorted(set(SEEDS) - {stored.seed for stored in self.pictures[channel].values()})

    def new_names(self, channel: str) -> list[str]:
        return [name for name in NAMES if name not in self.pictures[channel]]

    def keep(self, place: Place, picture: Picture, seed: int) -> None:
        """Writes into the dictionary what a change has given back."""
        channel, name = place
        assert (picture.channel, picture.identifier) == place
        self.pictures[channel][name] = Stored(
            seed=seed, active=picture.active, threshold=picture.threshold, uuid=picture.uuid
        )
        self.touched = [seed]

    def stored(self, place: Place) -> Stored:
        return self.pictures[place[0]][place[1]]

    def has_pictures(self) -> bool:
        return bool(self.places())

    # Channels

    @rule(data=st.data(), name=st.sampled_from(CHANNELS))
    def add_channel(self, data: st.DataObject, name: str) -> None:
        """A channel's name is free once."""
        view = data.draw(st.sampled_from(self.views()))
        if name in self.pictures:
            with pytest.raises(ChannelExists):
                view.add_channel(name)
        else:
            view.add_channel(name)
            self.pictures[name] = {}

    @precondition(lambda self: len(self.pictures) > 1)
    @rule(data=st.data())
    def remove_channel(self, data: st.DataObject) -> None:
        """A channel goes with its pictures."""
        name = data.draw(st.sampled_from(sorted(self.pictures)))
        gone = self.pictures.pop(name)
        assert data.draw(st.sampled_from(self.views())).catalogue.remove_channel(name) == len(gone)
        self.touched = [stored.seed for stored in gone.values()][:2]
        for view in self.views():
            with pytest.raises(ChannelNotFound):
                view.recognise(jpeg(0), [name])

    # Pictures

    @rule(data=st.data(), count=st.integers(1, 3), active=st.booleans())
    def add(self, data: st.DataObject, count: int, active: bool) -> None:
        """Some pictures, one after the other, so that tails fill up. A taken identifier is refused, and nothing
        changes."""
        channel = data.draw(st.sampled_from(sorted(self.pictures)))
        seeds = self.new_seeds(channel)
        for seed in data.draw(st.permutations(seeds))[:count]:
            free = self.new_names(channel)
            name = data.draw(st.sampled_from([*free, *sorted(self.pictures[channel])]))
            view = data.draw(st.sampled_from(self.views()))
            if name in free:
                self.keep((channel, name), view.add(channel, name, jpeg(seed), active=active), seed)
                assert self.stored((channel, name)).active == active
            else:
                with pytest.raises(IdentifierTaken):
                    view.add(channel, name, jpeg(seed), active=active)
                self.touched = [seed]

    @precondition(has_pictures)
    @rule(data=st.data())
    def replace(self, data: st.DataObject) -> None:
        """Another poster under the same identifier and UUID; the old one is never answered again."""
        place = data.draw(st.sampled_from(self.places()))
        before = self.stored(place)
        seed = data.draw(st.sampled_from([before.seed, *self.new_seeds(place[0])]))
        self.keep(place, data.draw(st.sampled_from(self.views())).replace(*place, jpeg(seed)), seed)
        assert self.stored(place) == dataclasses.replace(before, seed=seed)
        self.touched = [before.seed, seed]

    @precondition(has_pictures)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Removed by either view; a second time there is nothing to remove."""
        place = data.draw(st.sampled_from(self.places()))
        self.touched = [self.pictures[place[0]].pop(place[1]).seed]
        view = data.draw(st.sampled_from(self.views()))
        assert view.remove(*place) is True
        assert view.remove(*place) is False

    @precondition(has_pictures)
    @rule(data=st.data())
    def rename(self, data: st.DataObject) -> None:
        """Another identifier for the same picture; a taken one is refused."""
        channel, name = data.draw(st.sampled_from(self.places()))
        view, other = data.draw(st.sampled_from(self.views())), data.draw(st.sampled_from(NAMES))
        before = self.stored((channel, name))
        if other != name and other in self.pictures[channel]:
            with pytest.raises(IdentifierTaken):
                view.update(channel, name, identifier=other)
        else:
            picture = view.update(channel, name, identifier=other)
            del self.pictures[channel][name]
            self.keep((channel, other), picture, before.seed)
            assert self.stored((channel, other)) == before

    @precondition(has_pictures)
    @rule(data=st.data())
    def switch(self, data: st.DataObject) -> None:
        """Off, or on again."""
        place = data.draw(st.sampled_from(self.places()))
        before = self.stored(place)
        picture = data.draw(st.sampled_from(self.views())).update(*place, active=not before.active)
        self.keep(place, picture, before.seed)
        assert self.stored(place) == dataclasses.replace(before, active=not before.active)

    @precondition(has_pictures)
    @rule(data=st.data(), threshold=st.sampled_from([None, 50.0, 100.0]))
    def set_threshold(self, data: st.DataObject, threshold: float | None) -> None:
        """A match ratio of its own, or the default."""
        place = data.draw(st.sampled_from(self.places()))
        before = self.stored(place)
        self.keep(place, data.draw(st.sampled_from(self.views())).update(*place, threshold=threshold), before.seed)
        assert self.stored(place) == dataclasses.replace(before, threshold=threshold)

    @precondition(lambda self: self.has_pictures() and len(self.pictures) > 1)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        """Into another channel: removed here, added there."""
        channel, name = data.draw(st.sampled_from(self.places()))
        seed = self.stored((channel, name)).seed
        others = [c for c in sorted(self.pictures) if c != channel and seed in self.new_seeds(c)]
        if not others:
            return
        target = data.draw(st.sampled_from(others))
        other = data.draw(st.sampled_from(self.new_names(target)))
        view = data.draw(st.sampled_from(self.views()))
        del self.pictures[channel][name]
        assert view.remove(channel, name)
        self.keep((target, other), view.add(target, other, jpeg(seed)), seed)

    # The folder

    def touch_some(self, data: st.DataObject) -> None:
        """After what concerns no picture, a few posters are asked for."""
        self.touched = data.draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=2, unique=True))

    @rule(data=st.data())
    def save(self, data: st.DataObject) -> None:
        """A save waits for what is being merged: no tail is left that is due."""
        self.holder.checkpoint()
        assert all(count < SETTINGS.tail for count in self.holder.info()["tail"].values())
        self.touch_some(data)

    @rule(data=st.data())
    def reopen(self, data: st.DataObject) -> None:
        """Closed and opened again, beside a view that stays open."""
        self.holder.close()
        self.holder = Recognizer.open(self.folder, self.settings)
        self.touch_some(data)

    @rule(data=st.data(), saving=st.booleans())
    def kill(self, data: st.DataObject, saving: bool) -> None:
        """The holder is gone without a word. saving: when it had written all of a save but the manifest, by which a
        save begins to count."""
        index = self.folder / "index"
        before = {path: path.read_bytes() for path in index.glob("*") if path.suffix != ".bin"}
        if saving:
            self.holder.checkpoint()
            (index / "manifest.json").unlink()
            for path, content in before.items():
                path.write_bytes(content)
        self.holder.catalogue.close()
        (self.folder / "lock").unlink()  # the lock of a process falls with it; this one lives on
        self.holder = Recognizer.open(self.folder, self.settings)
        self.touch_some(data)

    @rule(data=st.data(), stays=st.booleans())
    def look_beside(self, data: st.DataObject, stays: bool) -> None:
        """Another view, as a second process has it, opens in the place of the last one; or that one closes."""
        self.leave()
        if stays:
            self.beside = Recognizer.open(self.folder, self.settings, hold=False)
        self.touch_some(data)

    def leave(self) -> None:
        if self.beside is not None:
            self.beside.close()
        self.beside = None

    # What holds at any time

    @invariant()
    def everything_is_listed(self) -> None:
        """Counts, lists and each picture agree with the dictionary, in every view."""
        counts = {channel: len(named) for channel, named in self.pictures.items()}
        for view in self.views():
            assert view.catalogue.counts() == counts
            info = view.info()
            assert info["channels"] == counts
            assert info["pictures"] == sum(counts.values())
            for channel, named in self.pictures.items():
                listed = view.list(channel)
                assert [p.identifier for p in listed] == sorted(named)
                for picture in listed:
                    assert view.get(channel, picture.identifier) == picture
                    expected = named[picture.identifier]
                    assert (picture.active, picture.threshold) == (expected.active, expected.threshold)
                    assert picture.uuid == expected.uuid
                with pytest.raises(PictureNotFound):
                    view.get(channel, self.new_names(channel)[0])

    @invariant()
    def what_was_touched_is_recognised(self) -> None:
        """A poster is answered where it is stored and active, and nowhere else."""
        for seed in dict.fromkeys(self.touched):
            for view in self.views():
                self.check_answer(view, seed, sorted(self.pictures))
            # Alone: a channel without the poster, and one with it where several have it.
            holding = {c for c in self.pictures if seed not in self.new_seeds(c)}
            for some in (set(self.pictures) - holding, holding if len(holding) > 1 else set[str]()):
                if some:
                    self.check_answer(self.views()[-1], seed, [min(some)])

    def check_answer(self, view: Recognizer, seed: int, channels: list[str]) -> None:
        """The whole answer for a photo that shows the poster."""
        recognition = view.recognise(jpeg(seed), channels, k=len(CHANNELS))
        shown = [(match.picture.channel, match.picture.identifier) for match in recognition.results]
        active = {(c, n): s for c in channels for n, s in self.pictures[c].items() if s.active}
        right = {place for place, stored in active.items() if stored.seed == seed}
        assert set(shown) <= set(active)
        assert set(shown[: len(right)]) == right
        for place, match in zip(shown, recognition.results, strict=True):
            own = active[place].threshold
            assert match.accepted == (match.match_ratio >= (view.default_threshold if own is None else own))
            assert place in right or not match.accepted
        if len(right) == 1:  # the same poster in several channels has no single right answer
            assert recognition.results[0].match_ratio > 90
        first = recognition.results[0] if recognition.results else None
        assert recognition.answer == (first if first is not None and first.accepted else None)


@pytest.fixture
def life(tmp_path: Path) -> type[GalleryLife]:
    """The machine with a folder to begin with."""
    with Recognizer.open(tmp_path / "start", SETTINGS) as recognizer:
        for channel, seeds in FILLED.items():
            recognizer.add_channel(channel)
            for name, seed in zip(NAMES, seeds, strict=False):
                recognizer.add(channel, name, jpeg(seed))
    return type("Life", (GalleryLife,), {"start": tmp_path / "start"})


def live(life: type[GalleryLife], *, lives: int, steps: int) -> None:
    """So many lives of at most so many steps, the same ones each time."""
    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class TestLife:
    def test_short(self, life: type[GalleryLife]) -> None:
        """Whatever happens in a few steps, the gallery holds and answers what the dictionary says."""
        live(life, lives=14, steps=10)

    @pytest.mark.slow
    def test_long(self, life: type[GalleryLife]) -> None:
        """The same for many longer lives."""
        live(life, lives=40, steps=30)
