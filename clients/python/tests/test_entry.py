"""What is reported of a request: cut to length, and nothing that the intake would refuse."""

from __future__ import annotations

from typing import Any

import pytest

from gatelog.entry import Observed, add_detail, entry_of


def observed(**other: Any) -> Observed:
    other.setdefault("path", "/a")
    return Observed(method="GET", request_id="r", **other)


def test_what_strangers_sent_is_cut_between_characters() -> None:
    entry = entry_of(observed(path="/" + "\u00e4" * 900, user_agent="x" * 600, host="\ud800"), 0)

    assert entry["http"]["path"] == "/" + "\u00e4" * 510 + "\u2026"
    assert entry["client"]["user_agent"] == "x" * 509 + "\u2026"
    assert entry["http"]["host"] == "?"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "granted"), (404, "granted"), (401, "denied"), (403, "denied"), (500, "error"), (None, "error")],
)
def test_the_status_decides_the_outcome(status: int, outcome: str) -> None:
    assert entry_of(observed(status=status), 0)["outcome"] == outcome


def test_a_time_is_in_utc_with_microseconds_and_that_of_the_answer() -> None:
    assert entry_of(observed(), 1.5)["time"] == "1970-01-01T00:00:01.500000+00:00"
    assert entry_of(observed(answered_at=2.0), 1.5)["time"] == "1970-01-01T00:00:02.000000+00:00"


def test_a_note_is_small_and_of_json() -> None:
    one = observed()
    for value in ["text", 7, 1.5, True, False]:
        add_detail(one, "name", value)
    for value in [None, [], {}, b"", float("nan"), float("inf"), 2**64]:
        with pytest.raises(ValueError, match="a note is"):
            add_detail(one, "name", value)
    for name in ["", "x" * 65]:
        with pytest.raises(ValueError, match="name of a note"):
            add_detail(one, name, 1)
    for number in range(15):
        add_detail(one, str(number), number)
    with pytest.raises(ValueError, match="16 notes"):
        add_detail(one, "more", 1)
