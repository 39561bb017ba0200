"""What statuses and headers mean."""

from __future__ import annotations

import re
import time
from email.utils import formatdate

import pytest

from core.errors import FailureKind
from core.http import retry_after, same_origin, status_kind, status_words, user_agent

T, M, D = FailureKind.TRANSIENT, FailureKind.MISSING, FailureKind.DENIED


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [(M, (404, 410)), (D, (401, 403, 407)), (T, (204, 206, 304, 400, 408, 418, 425, 429, 500, 503, 599, 999))],
)
def test_a_status_tells_what_to_do(kind: FailureKind, statuses: tuple[int, ...]) -> None:
    assert {status_kind(status) for status in statuses} == {kind}


def test_a_status_is_told_with_its_phrase_if_it_has_one() -> None:
    assert status_words(404) == "the server answered 404 Not Found"
    assert status_words(599) == "the server answered 599"
    assert status_words(503, "604800") == "the server answered 503 Service Unavailable"
    assert status_words(503, "950400").endswith(" and asked for a rest of 11d00h, of which it gets 7d00h")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 30 ", 30.0),
        ("\x1f30", 30.0),
        ("9" * 18, 7 * 86_400.0),
        ("-1", None),
        ("1.5", 1.5),
        ("3, 1", 3.0),
        ("1,\t3.5 ,2", 3.5),
        ("3,", None),
        ("3, soon", None),
        (".5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 7 * 86_400.0),
        ("Fri, 99 Dec 2026 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_week(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_retry_after_by_date_counts_from_now_in_utc(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    then = time.time() + 1000
    texts = (formatdate(then, usegmt=True), time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(then)))
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        waits = [retry_after(text) for text in texts]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert waits == [pytest.approx(1000, abs=100)] * 2


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("http://HOST:80/other", True),
        ("http://host/ds?x", True),
        ("https://host/ds", False),
        ("http://host:8080/ds", False),
        ("http://host.example/ds", False),
    ],
)
def test_credentials_stay_with_scheme_host_and_port(other: str, same: bool) -> None:
    assert same_origin("http://host/ds", other) is same


def test_requests_say_who_asks() -> None:
    assert re.fullmatch(r"mirrortui/[0-9][0-9A-Za-z.+]*", user_agent())
