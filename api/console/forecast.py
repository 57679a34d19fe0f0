"""What a threshold brings, as it was measured for the calibration in force (`obverse evaluate --forecast`)."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.settings import DEFAULT_MODEL

NAME = "forecast.json"
_log = logging.getLogger(__name__)
Share = Annotated[float, Meta(ge=0, le=1)]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold, in percent; shares of photos."""

    threshold: float
    answered: Share
    """Of photos of gallery pictures: rightly."""
    wrong: Share
    """The same, wrongly."""
    missing_answered: Share
    """Of photos whose picture is not in the gallery."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    calibration_sha256: str
    photos: int
    photos_whose_picture_is_missing: int
    rows: list[Row]


def forecast_of(calibration: Path | None) -> Forecast | None:
    """The forecast that lies beside a calibration (None: the shipped one); None where there is none that belongs to
    it."""
    file = calibration or DEFAULT_MODEL / "calibration.json"
    try:
        found = msgspec.json.decode(file.with_name(NAME).read_bytes(), type=Forecast)
        belongs = found.calibration_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _log.error("%s cannot be read: %s", file.with_name(NAME), error)
        return None
    return found if belongs and found.rows else None
