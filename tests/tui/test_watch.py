"""How failures and products are put into words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.report import Report
from core.store.queries import Failure, ProductStatus
from tui.headless.watch import failure_lines, state_word

FAILURE = Failure("ps1", "gpc1", "o1", "a.fits", "missing", "404 Not Found", 2, 1_795_247_882.0, False)
NOTHING = dict.fromkeys(("published", "queued", "failed", "quarantined", "excluded", "held", "cancelled"), 0)
CURRENT = ProductStatus("gpc1", "IPP", True, False, None, None, None, None, 1.0, 0.0, NOTHING)


def lines(**changes: Any) -> list[str]:
    return list(failure_lines(Report((), (replace(FAILURE, **changes),))))


def test_a_failure_is_told_with_place_reason_tries_and_what_comes_next() -> None:
    assert lines() == [
        "missing         ps1/gpc1/o1/a.fits",
        "                404 Not Found (2 tries, next try 2026-11-21T07:58:02Z)",
    ]
    assert lines(attempts=1, next_try=None)[1].endswith("(1 try, is tried again)")
    assert lines(next_try=None, quarantined=True)[1].endswith("(2 tries, set aside; `mirrortui retry` tries again)")


def test_a_failure_of_a_whole_fileset_or_mirror_has_a_shorter_place() -> None:
    assert lines(file=None)[0].endswith(" ps1/gpc1/o1")
    assert lines(product=None, fileset=None, file=None)[0].endswith(" ps1")


def test_foreign_text_in_a_failure_can_only_be_read() -> None:
    found = lines(fileset="o\x1b[2J", file="a\n\u202e", detail="\x1b]0;owned\x07")
    assert all(line.isprintable() for line in found)
    assert found[0].endswith("ps1/gpc1/o\\x1b[2J/a\\x0a\\u202e")


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("current", {}),
        ("lagging", {"backlog_filesets": 1}),
        ("retrying", {"backlog_filesets": 1, "counts": NOTHING | {"failed": 1}}),
        ("blocked", {"backlog_filesets": 1, "counts": NOTHING | {"failed": 1, "quarantined": 1}}),
        ("unpolled", {"polled_at": None}),
        ("alarm", {"alarm": "suddenly empty", "backlog_filesets": 1}),
        ("unlisted", {"error": "404", "alarm": "suddenly empty"}),
        ("paused", {"paused": "by me", "error": "404"}),
    ],
)
def test_the_state_of_a_product_is_the_word_that_matters_most(word: str, changes: dict[str, Any]) -> None:
    assert state_word(replace(CURRENT, **changes)) == word
