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
from core.urls import host_key

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses that lead elsewhere, if a Location comes with them (RFC 9110, 15.4)."""
LONGEST_RETRY_AFTER = 86_400.0

_SECONDS = re.compile(r"[0-9]{1,18}")
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


def status_words(status: int) -> str:
    """Say what the server answered: ``the server answered 404 Not Found``."""
    return f"the server answered {status} {_PHRASES.get(status, '')}".rstrip()


def retry_after(text: str | None) -> float | None:
    """Return the seconds that a Retry-After asks to wait, from 0 to a day; None if it says nothing usable.

    It holds a number of seconds or a date (RFC 9110, 10.2.3); a date without a zone is in UTC.
    """
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
        until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, IndexError):
        return None
    return min(max(until - time.time(), 0.0), LONGEST_RETRY_AFTER)


def same_origin(url: str, other: str) -> bool:
    """Tell whether credentials for one URL may be sent with the other: same scheme, host and port."""
    return (urlsplit(url).scheme, host_key(url)) == (urlsplit(other).scheme, host_key(other))
