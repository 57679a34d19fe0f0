"""What every dialect does with an error."""

from __future__ import annotations

import pytest

from api.edge.refusals import headers_of, nearest_row, text_of
from api.errors import BodyTooLarge, Busy, ForeignChannel, MalformedBody, NotMultipart, Overdue, RateLimited
from engine.errors import ChannelNotFound, ImageError, NotAnImage, ObverseError, PictureNotFound

TABLE = {ObverseError: "any", ImageError: "image", Busy: "busy", Overdue: "late"}


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (NotAnImage(), "image"),
        (RateLimited("x", retry_after_seconds=1), "busy"),
        (Overdue("x", retry_after_seconds=1), "late"),
        (PictureNotFound("a", "b"), "any"),
    ],
)
def test_the_nearest_ancestor_decides(error: ObverseError, row: str) -> None:
    assert nearest_row(TABLE, error) == row


class TestTexts:
    """A client reads what it sent, not how Python would write it."""

    @pytest.mark.parametrize(
        ("sent", "told"),
        [
            ("books", "books"),
            ("日本 é", "日本 é"),
            ("it's", "it's"),
            ('a"b', 'a"b'),
            ("a\\b", "a\\b"),
            ("a\x00b\n\x1b", "a\ufffdb\ufffd\ufffd"),
            ("\udcb9\u202e", "\ufffd\ufffd"),
            ("", ""),
        ],
    )
    def test_quoted(self, sent: str, told: str) -> None:
        assert text_of(ChannelNotFound(sent)) == f"no channel named “{told}”"
        assert text_of(PictureNotFound("books", sent)).endswith(f"“{told}”")
        assert text_of(ForeignChannel(sent)).startswith(f"channel “{told}” ")

    def test_the_rest_stays(self) -> None:
        error = Busy("the server's full", retry_after_seconds=1)
        assert text_of(error) == str(error)


class TestHeaders:
    def test_none(self) -> None:
        for error in (NotAnImage(), MalformedBody("x"), NotMultipart("x"), BodyTooLarge("x", 1)):
            assert headers_of(error) == {}

    @pytest.mark.parametrize("kind", [Busy, Overdue, RateLimited])
    def test_try_again(self, kind: type[Busy]) -> None:
        """An error's own advice wins over that for failures."""
        for failures in (None, 1):
            error = kind("x", retry_after_seconds=7)
            assert headers_of(error, failures_retry_after=failures) == {"Retry-After": "7"}

    def test_failures(self) -> None:
        assert headers_of(ObverseError("x"), failures_retry_after=1) == {"Retry-After": "1"}

    @pytest.mark.parametrize(
        "error", [MalformedBody("x", close=True), NotMultipart("x", close=True), BodyTooLarge("x", 1, close=True)]
    )
    def test_the_connection_ends(self, error: ObverseError) -> None:
        assert headers_of(error) == {"Connection": "close"}
