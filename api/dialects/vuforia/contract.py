"""The management as a table: each call's verb and path, and what it takes."""

from __future__ import annotations

from dataclasses import dataclass

from litestar.types import Method as Verb

from api.dialects.vuforia import methods


@dataclass(frozen=True, kw_only=True)
class Call:
    """One row of the contract."""

    name: str
    """For logs, metrics and the vendor's limits."""
    verb: Verb
    path: str
    does: methods.Method
    takes_body: bool = False
    works_inactive: bool = False
    """Whether it works on a database that is switched off."""
    status: int = 200
    """Of its success."""


CALLS = (
    Call(name="addTarget", verb="POST", path="/targets", does=methods.add_target, takes_body=True, status=201),
    Call(name="listTargets", verb="GET", path="/targets", does=methods.list_targets, works_inactive=True),
    Call(name="getTarget", verb="GET", path="/targets/{target_id:str}", does=methods.get_target, works_inactive=True),
    Call(name="updateTarget", verb="PUT", path="/targets/{target_id:str}", does=methods.update_target, takes_body=True),
    Call(name="deleteTarget", verb="DELETE", path="/targets/{target_id:str}", does=methods.delete_target),
    Call(name="getDuplicates", verb="GET", path="/duplicates/{target_id:str}", does=methods.get_duplicates),
    Call(name="databaseSummary", verb="GET", path="/summary", does=methods.database_summary, works_inactive=True),
    Call(
        name="targetSummary",
        verb="GET",
        path="/summary/{target_id:str}",
        does=methods.target_summary,
        works_inactive=True,
    ),
)
