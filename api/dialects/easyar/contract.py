"""The contract as a table: each operation's paths, where its parameters stand, what a token must allow, and the
codes of our own failures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from litestar.types import Method as Verb

from api.dialects.easyar import methods
from api.dialects.easyar.tokens import Permission

Source = Literal["query", "json", "multipart"]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row of the contract."""

    name: str
    """For logs and metrics."""
    verb: Verb
    """The HTTP method."""
    paths: tuple[str, ...]
    """Each answers with a slash at its end as well."""
    source: Source
    """Where its parameters stand."""
    call: methods.Method
    """What it does."""
    permission: Permission = "READ"
    """What a token must allow."""
    image: bool = False
    """Whether its JSON holds one."""
    meta: bool = False
    """Whether its JSON holds `meta` and fields of the client's own, which may be long."""
    failed: int = 30
    """The code of a failure of ours."""
    overdue: int | None = None
    """The code of what took too long; None: as `failed`."""
    also: tuple[str, ...] = ()
    """Other spellings of a path, which the document leaves out."""
    answers: tuple[int, ...] = (0,)
    """All codes that it may answer besides those of authentication (1, 2, 3, 4, 6, 4001018, 4001019, 4001024), 21
    and its own failures'."""


_ANY_CASE = tuple("/" + "".join(letters) for letters in itertools.product(*zip("similar", "SIMILAR", strict=True)))
_IMAGE = (0, 414, 422, 427)
OPERATIONS = (
    Operation(
        name="createTarget",
        verb="POST",
        paths=("/targets",),
        source="json",
        call=methods.create_target,
        permission="WRITE",
        image=True,
        meta=True,
        failed=417,
        answers=(*_IMAGE, 403, 417),
    ),
    Operation(
        name="listTargets",
        verb="GET",
        paths=("/targets/infos",),
        source="query",
        call=methods.list_targets,
        answers=(0, 414),
    ),
    Operation(
        name="listTargetsAfter",
        verb="GET",
        paths=("/targets",),
        source="query",
        call=methods.list_targets_after,
        answers=(0, 404, 414),
    ),
    Operation(name="countTargets", verb="GET", paths=("/targets/count",), source="query", call=methods.count_targets),
    Operation(
        name="showTarget",
        verb="GET",
        paths=("/target/{target_id:str}",),
        source="query",
        call=methods.show_target,
        answers=(0, 404),
    ),
    Operation(
        name="updateTarget",
        verb="PUT",
        paths=("/target/{target_id:str}",),
        source="json",
        call=methods.update_target,
        permission="WRITE",
        image=True,
        meta=True,
        failed=424,
        answers=(*_IMAGE, 404, 417, 419),
    ),
    Operation(
        name="deleteTarget",
        verb="DELETE",
        paths=("/target/{target_id:str}",),
        source="query",
        call=methods.delete_target,
        permission="WRITE",
        failed=420,
        answers=(0, 404),
    ),
    Operation(
        name="deleteTargets",
        verb="DELETE",
        paths=("/targets",),
        source="json",
        call=methods.delete_targets,
        permission="WRITE",
        failed=420,
        answers=(0, 404, 414),
    ),
    Operation(
        name="similar",
        verb="POST",
        paths=("/similar",),
        also=tuple(path for path in _ANY_CASE if path != "/similar"),
        source="json",
        call=methods.find_similar,
        image=True,
        answers=_IMAGE,
    ),
    Operation(
        name="grade",
        verb="POST",
        paths=("/grade/detection", "/grade/tracking"),
        source="json",
        call=methods.grade,
        image=True,
        answers=_IMAGE,
    ),
    Operation(
        name="gradeDetail",
        verb="POST",
        paths=("/grade/detail",),
        source="json",
        call=methods.grade_in_detail,
        image=True,
        answers=_IMAGE,
    ),
    Operation(
        name="search",
        verb="POST",
        paths=("/search",),
        source="json",
        call=methods.search,
        image=True,
        failed=20,
        overdue=19,
        answers=(*_IMAGE, 17, 18),
    ),
    Operation(
        name="searchFile",
        verb="POST",
        paths=("/v2/search",),
        source="multipart",
        call=methods.search,
        failed=20,
        overdue=19,
        answers=(*_IMAGE, 17, 18),
    ),
    Operation(name="openTunnel", verb="POST", paths=("/tunnels",), source="json", call=methods.open_tunnel),
)
