"""Settings of the service: defaults here, then a TOML file, then OBVERSE_* variables, then arguments.

A key that nobody knows is refused with the nearest one that exists: silence about a misspelt limit hurts.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import zoneinfo
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.errors import SettingError
from engine.settings import FORMATS, EngineSettings

PREFIX = "OBVERSE_"
COMMAND_LINE_VARIABLES = frozenset(
    {"OBVERSE_CONFIG", "OBVERSE_DATA", "OBVERSE_SERVER", "OBVERSE_USERNAME", "OBVERSE_SECRETKEY"}
)
"""Variables that stand for options of the `obverse` command, not for settings."""


def _whole(value: object) -> object:
    """Variables are text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class Settings(BaseSettings):
    """What an operator may choose. Sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0: any free one.")
    model: Path | None = Field(None, description="Folder of the patch network; unset: the shipped one.")
    comparator: Path | None = Field(
        None, description="Folder of the network that compares prints; unset: the shipped one."
    )
    calibration: Path | None = Field(None, description="File of a fit by `obverse calibrate`; unset: the shipped one.")
    default_threshold: float | None = Field(
        EngineSettings.default_threshold,
        ge=0,
        le=100,
        description="Least match ratio of an answer where the picture has none of its own; unset: the calibration's.",
    )
    second_look: bool = Field(
        EngineSettings.second_look,
        description="A photo in which nothing is found is searched again, finer, where that may help.",
    )
    frame_seconds: float = Field(
        1.0,
        ge=0,
        le=60,
        description="A client's frame that resembles one missed so long ago is not searched twice; 0: all may be.",
    )
    keep_pictures: bool = Field(
        EngineSettings.keep_pictures,
        description="A JPEG of each picture is kept; off: structure and colour cannot be compared.",
    )
    threads: int = Field(EngineSettings.threads, ge=1, le=256, description="Cores that one recognition may use.")
    formats: Annotated[tuple[str, ...], NoDecode] = Field(
        ("JPEG", "PNG"),
        description="What images are read, by content, separated by commas: JPEG, PNG, WebP, AVIF, HEIC (which needs "
        "the extra `heic`), GIF (its first picture), TIFF (its first page), BMP.",
    )
    max_image_bytes: int = Field(10_000_000, ge=1_000, description="Largest image file; the file part counts alone.")
    max_import_bytes: int = Field(
        2_000_000_000, ge=1_000, description="Largest archive of `POST /v1/pictures:import`, kept on disk meanwhile."
    )
    max_drain_bytes: int = Field(
        100_000_000, ge=0, description="How much of an oversize body is read and thrown away before the answer."
    )
    max_metadata_bytes: int = Field(2_000_000, ge=0, le=2_000_000, description="Largest `metadata`, as UTF-8.")
    max_buffered_bytes: int = Field(
        256_000_000, ge=1_000_000, description="Bodies held in memory at the same time; beyond it: busy."
    )
    body_timeout_seconds: float = Field(120.0, gt=0, description="Longest time for sending one body.")
    body_stall_seconds: float = Field(
        10.0, gt=0, description="Longest time in which less than 1,000 bytes a second of a body arrive."
    )
    header_timeout_seconds: float = Field(
        10.0, gt=0, description="Longest time from the opening of a connection to the end of a request's headers."
    )
    send_timeout_seconds: float = Field(
        30.0, gt=0, description="Longest time in which a client takes less than 1,000 bytes a second of its answer."
    )
    max_connections: int = Field(
        1000, ge=8, description="Connections at the same time; the limit of open files allows fewer, perhaps."
    )
    max_page_bytes: int = Field(
        8_000_000, ge=100_000, description="Texts in one page of a list; a page ends early there."
    )
    path_prefix: str = Field("", description="Path under which a proxy shows the server, such as /obverse.")
    page_size: int = Field(100, ge=1, le=10_000, description="Pictures in one answer of GetImages.")
    max_results: int = Field(50, ge=1, le=1_000, description="Largest `limit` of FindImage.")
    public_getimage: bool = Field(True, description="GetImage without credentials; off: it answers 20001.")
    auto_create_channel: bool = Field(False, description="AddImage makes a channel that does not exist.")
    default_quota: int | None = Field(None, ge=0, description="Most pictures of a new channel; unset: no limit.")
    time_zone: str = Field("UTC", description="Where the day of a count begins, an IANA name.")
    engine_workers: int = Field(2, ge=1, le=256, description="Threads that recognise and add.")
    engine_queue: int = Field(20, ge=0, description="Requests that may wait for such a thread; beyond it: busy.")
    catalogue_workers: int = Field(4, ge=1, le=256, description="Threads that read and change the catalogue.")
    catalogue_queue: int = Field(256, ge=0, description="Requests that may wait for such a thread.")
    deadline_seconds: float = Field(15.0, gt=0, description="Longest wait for the engine; beyond it: busy.")
    retry_after_seconds: int = Field(1, ge=1, description="Advice to a client that was told busy.")
    rate_limit_per_minute: int = Field(0, ge=0, description="Requests a user may send in a minute; 0: no limit.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Web origins that may call from a browser, separated by commas; `*`: all."
    )
    easyar_max_image_bytes: int = Field(
        2_097_152, ge=1_000, description="EasyAR: largest image file; above `max_image_bytes` that one holds."
    )
    easyar_unsigned_image: bool = Field(
        False,
        description="EasyAR: a signature that leaves out `image` is accepted: whoever has it may change the image.",
    )
    easyar_search_miss_http_status: Annotated[Literal[404, 200], BeforeValidator(_whole)] = Field(
        404, description="EasyAR: HTTP status of a search that finds nothing (statusCode 17), 404 or 200."
    )
    vuforia_port: int | None = Field(
        None, ge=0, le=65535, description="Vuforia: a port at whose root its calls answer, too; 0: any free one."
    )
    vuforia_processing_seconds: float = Field(
        0.0, ge=0, le=3_600, description="Vuforia: how long a target is told as being processed, and not answered."
    )
    vuforia_rate_limits: bool = Field(False, description="Vuforia: the vendor's limits of requests hold.")
    vuforia_lists_per_minute: int = Field(
        2, ge=0, description="Vuforia: lists of targets in a minute, where those limits hold; 0: no limit."
    )
    vuforia_strict_headers: bool = Field(
        False, description="Vuforia: answers have the headers of the vendor's service and no others."
    )
    image_url: bool = Field(
        False, description="Clients may name the address of an image instead of sending it: the server fetches it."
    )
    image_url_seconds: float = Field(10.0, gt=0, description="Longest time for fetching one such image.")
    image_url_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts of yours that such addresses may name though they are private, separated by commas."
    )
    keep_misses_hours: float = Field(
        0.0, ge=0, le=8_760, description="How long photos that matched nothing are kept for the console; 0: none is."
    )
    console: bool = Field(True, description="Pages for people at /console and /try; off: there are none.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or text for people.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity logged.")
    stop_timeout_seconds: int = Field(30, ge=1, description="Longest wait for requests in flight when stopping.")

    @pydantic.field_validator("cors_origins", "image_url_hosts", "formats", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @pydantic.field_validator("formats")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = {name.lower(): name for name in FORMATS}
        known = tuple(dict.fromkeys(names[name.lower()] for name in value if name.lower() in names))
        if unknown := [name for name in value if name.lower() not in names]:
            raise ValueError(f"{unknown[0]!r} is no format; there are {', '.join(FORMATS)}")
        if not known:
            raise ValueError("at least one is needed")
        return known

    @pydantic.field_validator("path_prefix")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", value):
            raise ValueError(f"{value!r} is no path such as /obverse: no slash at its end, letters, digits and . _ ~ -")
        return value

    @pydantic.field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone such as UTC or Asia/Shanghai")
        return value


def load_settings(file: Path | None = None, *, environment: Mapping[str, str] | None = None, **chosen: Any) -> Settings:
    """The settings in force. chosen: values that win over all else; None among them means "not chosen".

    Raises SettingError for an unknown key or a value outside its rule.
    """
    environment = os.environ if environment is None else environment
    values = _read_file(file) if file else {}
    _refuse_unknown(values, f"{file}: ", Settings.model_fields)
    variables = {PREFIX + name.upper(): name for name in Settings.model_fields}
    ours = [key for key in environment if key.startswith(PREFIX) and key not in COMMAND_LINE_VARIABLES]
    _refuse_unknown(ours, "", variables)
    for variable in ours:
        values[variables[variable]] = environment[variable]
    values |= {name: value for name, value in chosen.items() if value is not None}
    try:
        return Settings(**values)
    except pydantic.ValidationError as error:
        reasons = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
        raise SettingError("; ".join(reasons)) from error


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"the settings file {file} cannot be read: {error}") from error


def _refuse_unknown(keys: Iterable[str], where: str, known: Iterable[str]) -> None:
    names = list(known)
    for key in keys:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1, cutoff=0)
            raise SettingError(f"{where}no setting named {key}; the nearest is {near[0]}")
