"""How failures and products are put into words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.report import Report
from core.store.queries import Failure, MirrorStatus, ProductStatus
from core.store.screens import ProductLine
from tui.headless.watch import failure_lines
from tui.panes import products
from tui.states import of_product

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


STOPPED = MirrorStatus("ps1", "http://a", "/b", None, "disk full", "disk", None, None, 1.0, ())
LIMIT = 3600.0


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("current", {}),
        ("refused", {"refused": 1, "backlog_filesets": 1, "active": 2}),
        ("behind", {"backlog_filesets": 1, "lag": LIMIT}),
        ("fetching", {"backlog_filesets": 1, "active": 2}),
        ("failing", {"refused": 1, "backlog_filesets": 1, "active": 2, "counts": NOTHING | {"failed": 1}}),
        ("blocked", {"backlog_filesets": 1, "counts": NOTHING | {"failed": 1, "quarantined": 1}}),
        ("LAG", {"lag": LIMIT + 1, "error": "404", "counts": NOTHING | {"quarantined": 1}}),
        ("unknown", {"polled_at": None, "lag": None}),
        ("unlisted", {"error": "404", "lag": None}),
        ("ALARM", {"alarm": "suddenly empty", "error": "404"}),
        ("paused", {"paused": "by me", "error": "404"}),
        ("available", {"selected": False, "paused": "by me"}),
        ("ignored", {"selected": False, "wish": "ignore"}),
    ],
)
def test_the_state_of_a_product_is_the_word_that_matters_most(word: str, changes: dict[str, Any]) -> None:
    assert of_product(replace(CURRENT, **changes), None, LIMIT) == word


def test_a_product_of_a_mirror_that_is_stopped_is_stopped() -> None:
    assert of_product(replace(CURRENT, paused="by me"), STOPPED, None) == "stopped"
    assert of_product(CURRENT, replace(STOPPED, stopped=None, paused="by me"), None) == "paused"


def test_the_screen_says_the_same_word() -> None:
    fields: dict[str, Any] = dict.fromkeys(ProductLine._fields)
    fields |= {
        "selected": True,
        "lag": 0.0,
        "active": 0,
        "refused": 0,
        "backlog_filesets": 0,
        "counts": NOTHING | {"failed": 1},
    }
    line = ProductLine(**fields)
    assert str(products.mark(line, None, None)) == "x failing"
    assert all(products.mark(line._replace(selected=False, wish=wish), None, None).word for wish in (None, "ignore"))
