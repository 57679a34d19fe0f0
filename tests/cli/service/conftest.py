"""A running server for the commands that work beside one."""

from __future__ import annotations

from tests.support.served import alice, bob, books, channel, server

__all__ = ["alice", "bob", "books", "channel", "server"]
