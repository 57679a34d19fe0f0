"""Posters that the demo draws itself: distinct, seeded, and with enough detail to be recognised."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from engine.values import ColorImage

WIDTH, HEIGHT = 600, 840
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
_FIRST = (
    *("amber", "brass", "cobalt", "dapple", "ember", "fennel", "garnet", "hazel"),
    *("indigo", "jasper", "kelp", "linden", "maple", "nettle", "onyx", "poppy"),
)
_SECOND = (
    *("arcade", "bazaar", "circus", "delta", "estuary", "ferry", "galaxy", "harbour"),
    *("island", "jubilee", "kiosk", "lagoon", "meadow", "opera", "pier", "regatta"),
)

Colour = tuple[int, int, int]


def name_of(number: int) -> str:
    return f"{_FIRST[number % 16]}.{_SECOND[number // 16 % 16]}.{number:03d}"


def poster(number: int) -> ColorImage:
    """(840, 600, 3) picture of poster `number`, the same on every machine."""
    rng = np.random.default_rng([7, number])
    palette = _palette(rng)
    canvas = _backdrop(rng, palette)
    motif = _MOTIFS[int(rng.integers(len(_MOTIFS)))]
    motif(rng, canvas, palette)
    _ornaments(rng, canvas, palette)
    _lettering(rng, canvas, name_of(number), palette)
    return _paper(rng, canvas)


def ground(number: int) -> ColorImage:
    """(840, 600, 3) something to lay a poster on that is no picture itself: a board of few colours, with its grain."""
    rng = np.random.default_rng([8, number])
    return _paper(rng, _backdrop(rng, _palette(rng)))


def _palette(rng: np.random.Generator) -> list[Colour]:
    """Five colours: a hue, its neighbours and its opposite, dark and light by turns."""
    hue = rng.uniform(0, 180)
    hues = (hue + np.array([0, 14, 90, 104, -20])) % 180
    values = rng.permutation([60, 120, 180, 220, 250])
    hsv = np.stack([hues, rng.uniform(60, 230, 5), values], 1).astype(np.uint8)[None]
    return [(int(r), int(g), int(b)) for r, g, b in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]]


def _pick(rng: np.random.Generator, palette: list[Colour]) -> Colour:
    return palette[int(rng.integers(len(palette)))]


def _backdrop(rng: np.random.Generator, palette: list[Colour]) -> ColorImage:
    """A gradient between two colours at any angle."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(angle) * x / WIDTH + np.sin(angle) * y / HEIGHT
    ramp = ((ramp - ramp.min()) / np.ptp(ramp))[..., None]
    return np.asarray(np.array(palette[0]) * (1 - ramp) + np.array(palette[1]) * ramp, np.uint8)


def _rays(rng: np.random.Generator, canvas: ColorImage, palette: list[Colour]) -> None:
    centre = rng.uniform([0.2 * WIDTH, 0.3 * HEIGHT], [0.8 * WIDTH, 0.7 * HEIGHT])
    edges = np.sort(rng.uniform(0, 2 * np.pi, 2 * int(rng.integers(9, 18))))
    for start, end in edges.reshape(-1, 2):
        tips = centre + 1200 * np.array([[np.cos(start), np.sin(start)], [np.cos(end), np.sin(end)]])
        cv2.fillPoly(canvas, [np.rint([centre, *tips]).astype(np.int32)], _pick(rng, palette), cv2.LINE_AA)
    for radius in sorted(rng.uniform(20, 150, 3), reverse=True):
        cv2.circle(canvas, (int(centre[0]), int(centre[1])), int(radius), _pick(rng, palette), -1, cv2.LINE_AA)


def _skyline(rng: np.random.Generator, canvas: ColorImage, palette: list[Colour]) -> None:
    x = 0
    while x < WIDTH:
        width, top = int(rng.integers(40, 110)), int(rng.integers(250, 620))
        cv2.rectangle(canvas, (x, top), (x + width, HEIGHT), _pick(rng, palette), -1)
        pane = int(rng.integers(12, 26))
        light = _pick(rng, palette)
        for wx in range(x + 8, x + width - pane // 2, pane):
            for wy in range(top + 10, HEIGHT - 120, pane):
                if rng.random() < 0.55:
                    cv2.rectangle(canvas, (wx, wy), (wx + pane // 2, wy + int(0.6 * pane)), light, -1)
        x += width


def _hills(rng: np.random.Generator, canvas: ColorImage, palette: list[Colour]) -> None:
    x = np.arange(WIDTH)
    cv2.circle(
        canvas, (int(rng.integers(80, 520)), int(rng.integers(120, 300))), 70, _pick(rng, palette), -1, cv2.LINE_AA
    )
    for level in np.linspace(320, 700, int(rng.integers(4, 7))):
        waves = rng.uniform(0.004, 0.03, 3), rng.uniform(0, 6.3, 3), rng.uniform(8, 50, 3)
        ridge = level + sum(a * np.sin(f * x + p) for f, p, a in zip(*waves, strict=True))
        outline = np.concatenate([np.stack([x, ridge], 1), [[WIDTH, HEIGHT], [0, HEIGHT]]])
        cv2.fillPoly(canvas, [np.rint(outline).astype(np.int32)], _pick(rng, palette), cv2.LINE_AA)


def _tiles(rng: np.random.Generator, canvas: ColorImage, palette: list[Colour]) -> None:
    columns = int(rng.integers(4, 8))
    side = WIDTH // columns
    for y in range(100, HEIGHT - 140, side):
        for x in range(0, WIDTH - side + 1, side):
            cv2.rectangle(canvas, (x, y), (x + side, y + side), _pick(rng, palette), -1)
            start, colour = float(90 * rng.integers(4)), _pick(rng, palette)
            centre, span = (x + side // 2, y + side // 2), float(90 * rng.integers(1, 5))
            cv2.ellipse(canvas, centre, (int(0.42 * side),) * 2, start, 0, span, colour, -1, cv2.LINE_AA)


def _polygons(rng: np.random.Generator, canvas: ColorImage, palette: list[Colour]) -> None:
    for _ in range(int(rng.integers(18, 40))):
        corners = int(rng.integers(3, 7))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        around = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(25, 150)
        shape = around + rng.uniform([0, 80], [WIDTH, HEIGHT - 120])
        cv2.fillPoly(canvas, [np.rint(shape).astype(np.int32)], _pick(rng, palette), cv2.LINE_AA)


_MOTIFS: tuple[Callable[[np.random.Generator, ColorImage, list[Colour]], None], ...] = (
    _rays,
    _skyline,
    _hills,
    _tiles,
    _polygons,
)


def _ornaments(rng: np.random.Generator, canvas: ColorImage, palette: list[Colour]) -> None:
    """Small marks that no other poster has at the same places."""
    for _ in range(int(rng.integers(30, 70))):
        x, y = int(rng.integers(15, WIDTH - 15)), int(rng.integers(15, HEIGHT - 15))
        size, colour = int(rng.integers(4, 22)), _pick(rng, palette)
        kind = rng.integers(4)
        if kind == 0:
            cv2.circle(canvas, (x, y), size, colour, int(rng.choice([-1, 2])), cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(canvas, (x, y), (x + 2 * size, y + size), colour, int(rng.choice([-1, 2])))
        elif kind == 2:
            cv2.drawMarker(canvas, (x, y), colour, int(rng.integers(0, 7)), 2 * size, 2, cv2.LINE_AA)
        else:
            end = (x + int(rng.integers(-60, 60)), y + int(rng.integers(-60, 60)))
            cv2.line(canvas, (x, y), end, colour, int(rng.integers(1, 5)), cv2.LINE_AA)


def _lettering(rng: np.random.Generator, canvas: ColorImage, name: str, palette: list[Colour]) -> None:
    """A title on a band, and lines of small print."""
    title = name.rsplit(".", 1)[0].replace(".", " ").upper()
    top = int(rng.choice([40, HEIGHT - 190]))
    band, ink = _contrasting(rng, palette)
    cv2.rectangle(canvas, (0, top), (WIDTH, top + 105), band, -1)
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    width = cv2.getTextSize(title, font, 1.0, 3)[0][0]
    cv2.putText(canvas, title, (30, top + 68), font, min(2.0, 540 / width), ink, 3, cv2.LINE_AA)
    for line in range(int(rng.integers(2, 5))):
        letters = "".join(rng.choice(list("ABDEGHKLMNOPRSTUW 0123456789"), int(rng.integers(14, 34))))
        cv2.putText(canvas, letters, (34, HEIGHT - 70 + 20 * line), font, 0.45, ink, 1, cv2.LINE_AA)


def _contrasting(rng: np.random.Generator, palette: list[Colour]) -> tuple[Colour, Colour]:
    by_light = sorted(palette, key=sum)
    ends = [by_light[0], by_light[-1]]
    order = rng.permutation(2)
    return ends[order[0]], ends[order[1]]


def _paper(rng: np.random.Generator, canvas: ColorImage) -> ColorImage:
    """The grain of print, so that plain fields are not empty."""
    grain = cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1.2)
    return np.asarray(np.clip(canvas + 14 * grain[..., None], 0, 255), np.uint8)
