"""The one reason why a product is not current."""

from __future__ import annotations

from typing import Any

import pytest

from core.store.reasons import Rest, Standing, limit_reached, why

POLLED = 1_800_000_000.0  # 2027-01-15T08:00:00Z
WELL = Standing(polled_at=POLLED)
LAST = "last listed 2027-01-15T08:00:00Z"

CASES: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"selected": False}, "available"),
    ({"selected": False, "mirror_stopped": "disk full"}, "available"),
    ({"selected": False, "ignored": True}, "ignored by an operator"),
    ({"mirror_stopped": "/data: disk full"}, "mirror stopped: /data: disk full"),
    ({"mirror_paused": "by ann"}, "mirror paused by ann"),
    ({"paused": "by bob"}, "paused by bob"),
    ({"polled_at": None}, "not listed yet"),
    ({"error": "HTTP 502"}, f"not listed: HTTP 502; {LAST}"),
    ({"error": "HTTP 502", "polled_at": None}, "not listed: HTTP 502; last listed never"),
    ({"mirror_error": "no route to host"}, f"source not listed: no route to host; {LAST}"),
    ({"alarm": "upstream lists nothing any more"}, "alarm: upstream lists nothing any more"),
    ({"quarantined": 1200}, "blocked by 1,200 in quarantine"),
    ({"failed": 3, "next_try": POLLED + 65}, "3 filesets failing, next try 08:01:05Z"),
    (
        {"discovered": 5, "rest": Rest("sky.example:80", POLLED + 65, "the server asked to be left alone")},
        "host sky.example:80 rests until 08:01:05Z: the server asked to be left alone",
    ),
    ({"rest": Rest("sky.example:80", POLLED + 65, "the server asked to be left alone")}, ""),
    ({"failed": 1}, "1 fileset failing, tried again now"),
    ({"waiting": 9, "limit": "limit of 8 transfers reached"}, "limit of 8 transfers reached"),
    ({"discovered": 9, "limit": "limit of 8 transfers reached"}, "reading indexes of 9 filesets"),
    ({"active": 2, "waiting": 1}, "transferring 2 files"),
    ({"waiting": 1}, "waiting in the queue"),
    ({"waiting": 1, "ahead": ["raw"]}, "waiting in the queue behind raw"),
    ({"waiting": 1, "ahead": ["raw", "warp"]}, "waiting in the queue behind raw and 1 other"),
    ({"waiting": 1, "ahead": ["raw", "warp", "chip"]}, "waiting in the queue behind raw and 2 others"),
    ({"discovered": 2000}, "reading indexes of 2,000 filesets"),
    ({"completing": 1}, "publishing 1 fileset"),
    ({"completing": 1, "refused": 2}, "publishing 1 fileset"),
    ({"refused": 2}, "2 rows refused, the rest is here"),
]


@pytest.mark.parametrize(("facts", "words"), CASES)
def test_each_cause_in_words(facts: dict[str, Any], words: str) -> None:
    assert why(WELL._replace(**facts)) == (words, bool(facts.keys() & {"failed", "quarantined"}))


WORST_FIRST: list[dict[str, Any]] = [
    {"mirror_stopped": "m1"},
    {"mirror_paused": "m2"},
    {"paused": "m3"},
    {"error": "m4"},
    {"mirror_error": "m5"},
    {"alarm": "m6"},
    {"waiting": 3, "rest": Rest("m7", POLLED, "m7")},
    {"quarantined": 17},
    {"failed": 1, "next_try": POLLED},
    {"waiting": 3, "limit": "m9"},
    {"active": 10},
    {"discovered": 11},
    {"completing": 12},
    {"refused": 13},
    {"held": 14},
]


def test_the_most_important_cause_is_told() -> None:
    for at, worst in enumerate(WORST_FIRST):
        alone = why(WELL._replace(**worst))
        together = WELL
        for facts in reversed(WORST_FIRST[at:]):
            together = together._replace(**facts)
        assert why(together) == alone
        assert alone[0]


@pytest.mark.parametrize("fact", ["mirror_stopped", "mirror_paused", "paused", "error", "mirror_error", "alarm"])
def test_foreign_texts_can_do_nothing_but_be_read(fact: str) -> None:
    facts: dict[str, Any] = {fact: "\x1b]52;c;x\x07[@click=app.quit]\n" + "x" * 500}
    told, _ = why(WELL._replace(**facts))
    assert told.isprintable()
    assert len(told) < 200


def test_names_of_products_are_foreign_too() -> None:
    assert why(WELL._replace(waiting=1, ahead=["a\u202eb"]))[0] == r"waiting in the queue behind a\u202eb"


@pytest.mark.parametrize(
    ("active", "rate", "transfers", "bandwidth", "words"),
    [
        (7, 5e7, 8, None, ""),
        (8, 5e7, 8, None, "limit of 8 transfers reached"),
        (9, 5e7, 8, None, "limit of 8 transfers reached"),
        (4, 9.8e4, 4, 100_000, "bandwidth limit of 100.0 kB/s reached"),
        (4, 5.0e4, 4, 100_000, "limit of 4 transfers reached"),
        (1, 0.0, 1, None, "limit of 1 transfer reached"),
        (3, 4.6e7, None, 50_000_000, "bandwidth limit of 50.0 MB/s reached"),
        (3, 4.4e7, None, 50_000_000, ""),
        (3, 4.6e7, None, 0, ""),
        (3, 4.6e7, None, None, ""),
    ],
)
def test_limits_that_are_reached(
    active: int, rate: float, transfers: int | None, bandwidth: int | None, words: str
) -> None:
    assert limit_reached(active, rate, transfers, bandwidth) == words
