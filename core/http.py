"""What HTTP's statuses and headers mean, for indexes and data files alike."""

from __future__ import annotations

import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from core.errors import FailureKind
from core.units import format_duration
from core.urls import host_key

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses that lead elsewhere, if a Location comes with them (RFC 9110, 15.4)."""
LONGEST_RETRY_AFTER = 7 * 86_400.0
"""Seconds for which a host is left alone at its wish, at most: more is hardly meant."""

_SECONDS = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_PHRASES = {int(status): status.phrase for status in HTTPStatus}
_KINDS = {
    401: FailureKind.DENIED,
    403: FailureKind.DENIED,
    407: FailureKind.DENIED,
    404: FailureKind.MISSING,
    410: FailureKind.MISSING,
}


@cache
def user_agent() -> str:
    """Return what requests call themselves: ``mirrortui/VERSION``."""
    try:
        return f"mirrortui/{version('mirrortui')}"
    except PackageNotFoundError:
        return "mirrortui/0"


def status_kind(status: int) -> FailureKind:
    """Return what a status means that brings nothing and leads nowhere; what isn't known to last is transient."""
    return _KINDS.get(status, FailureKind.TRANSIENT)


def status_words(status: int, wish: str | None = None) -> str:
    """Say what the server answered: ``the server answered 404 Not Found``; and if its Retry-After is not granted."""
    words = f"the server answered {status} {_PHRASES.get(status, '')}".rstrip()
    wished = _wished(wish) or 0.0
    if wished <= LONGEST_RETRY_AFTER:
        return words
    granted = format_duration(LONGEST_RETRY_AFTER)
    return f"{words} and asked for a rest of {format_duration(wished)}, of which it gets {granted}"


def retry_after(text: str | None) -> float | None:
    """Return the seconds that a Retry-After gets, from 0 to LONGEST_RETRY_AFTER; None if it says nothing usable."""
    wished = _wished(text)
    return None if wished is None else min(wished, LONGEST_RETRY_AFTER)


def _wished(text: str | None) -> float | None:
    """Return the seconds that a Retry-After asks for: a number, or a date (RFC 9110, 10.2.3), without a zone in UTC.

    Of several numbers, which proxies on the way may have added, the largest counts. Some servers send fractions.
    """
    if text is None:
        return None
    text = text.strip()
    numbers = [part.strip() for part in text.split(",")]
    if all(map(_SECONDS.fullmatch, numbers)):
        return max(map(float, numbers))
    try:
        moment = parsedate_to_datetime(text)
        until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, IndexError):
        return None
    return max(until - time.time(), 0.0)


def same_origin(url: str, other: str) -> bool:
    """Tell whether credentials for one URL may be sent with the other: same scheme, host and port."""
    return (urlsplit(url).scheme, host_key(url)) == (urlsplit(other).scheme, host_key(other))
