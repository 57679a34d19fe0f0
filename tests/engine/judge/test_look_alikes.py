"""The duel of two look-alikes."""

from __future__ import annotations

import cv2
import numpy as np

from engine.judge.look_alikes import Duel
from engine.judge.look_alikes import duel as duel_of
from engine.verify.appearance import see
from engine.verify.reference import Reference
from tests.support.drawn import H_TILTED as H
from tests.support.drawn import poster, tilted


def duel(picture: np.ndarray, H_one: np.ndarray, rival: np.ndarray, H_other: np.ndarray, photo: np.ndarray) -> Duel:
    return duel_of(Reference(picture), H_one, Reference(rival), H_other, photo)


def variant(seed: int = 1) -> np.ndarray:
    """The poster with another text on one label."""
    image = poster(seed).copy()
    cv2.rectangle(image, (90, 180), (270, 260), (250, 250, 245), -1)
    cv2.putText(image, "GOLD", (100, 240), cv2.FONT_HERSHEY_DUPLEX, 2, (20, 20, 20), 3)
    return image


def other_variant(seed: int = 1) -> np.ndarray:
    image = poster(seed).copy()
    cv2.rectangle(image, (90, 180), (270, 260), (250, 250, 245), -1)
    cv2.putText(image, "MILD", (100, 240), cv2.FONT_HERSHEY_DUPLEX, 2, (20, 20, 20), 3)
    return image


class TestDuel:
    def test_text(self) -> None:
        """Two pictures that differ in one word: the photo's own wins, and the other loses."""
        photo = tilted(variant())
        won, lost = (duel(a, H, b, H, photo) for a, b in ((variant(), other_variant()), (other_variant(), variant())))
        assert won.structure > 0.15
        assert lost.structure < -0.15
        assert won.alike > 0.8
        assert won.rival == lost.rival == 1

    def test_colour(self) -> None:
        """Two pictures that differ in the colour of a part likewise."""
        red, green = variant(), variant()
        red[300:420, 60:300], green[300:420, 60:300] = (200, 30, 40), (30, 150, 40)
        photo = tilted(green)
        assert duel(green, H, red, H, photo).colour > 0.3
        assert duel(red, H, green, H, photo).colour < -0.3

    def test_twins(self) -> None:
        """Nothing speaks for either of two equal pictures."""
        found = duel(poster(1), H, poster(1), H, tilted(poster(1)))
        assert abs(found.structure) < 0.02
        assert abs(found.colour) < 0.02
        assert found.alike > 0.95

    def test_what_was_seen_before(self) -> None:
        """The frame that `see` made of the photo is taken as it is: the duel is the same to the bit."""
        ours, photo = Reference(variant()), tilted(variant())
        given = duel_of(ours, H, Reference(other_variant()), H, photo, seen=see(ours, photo, H))
        assert given == duel(variant(), H, other_variant(), H, photo)

    def test_rival_elsewhere(self) -> None:
        """Pictures that do not overlap in the photo have nothing to compare."""
        away = np.array([[1, 0, 5000], [0, 1, 5000], [0, 0, 1.0]]) @ H
        found = duel(poster(1), H, poster(2), away, tilted(poster(1)))
        assert (found.structure, found.colour) == (0, 0)
        assert found.shared < 0.05
