"""What went wrong over HTTP, as a SourceError in plain words that never hold secrets."""

from __future__ import annotations

import os
import re
import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx

from core.errors import FailureKind, SourceError
from core.text import display
from core.urls import redact

DAY = 86_400.0
MISSING = frozenset({404, 410})
DENIED = frozenset({401, 403, 407})


def source_error(
    url: str, kind: FailureKind, reason: str, retry_after: float | None = None, status: int | None = None
) -> SourceError:
    """Return the error that says what was asked for, and what happened."""
    return SourceError(kind, f"{display(redact(url), 150)}: {display(reason)}", retry_after, status)


def from_status(url: str, response: httpx.Response) -> SourceError:
    """Return the error for an answer that is neither 200 nor a redirect."""
    code = response.status_code
    reason = f"the server answered {code} {httpx.codes.get_reason_phrase(code)}".rstrip()
    if code in MISSING:
        return source_error(url, FailureKind.MISSING, reason, status=code)
    if code in DENIED:
        return source_error(url, FailureKind.DENIED, reason, status=code)
    return source_error(url, FailureKind.TRANSIENT, reason, retry_after(response.headers.get("retry-after")), code)


def from_exception(url: str, error: Exception, connect_seconds: float, index_seconds: float) -> SourceError:
    """Return the error for what httpx raised. The text of an exception is used only where it holds nothing of ours."""
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return source_error(url, FailureKind.TRANSIENT, f"no connection within {connect_seconds:g} s")
    if isinstance(error, httpx.TimeoutException):
        return source_error(url, FailureKind.TRANSIENT, f"no answer within {index_seconds:g} s")
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
        return source_error(url, FailureKind.UNSAFE, "not a usable URL, or a redirect to one")
    if isinstance(error, httpx.LocalProtocolError):
        return source_error(url, FailureKind.TRANSIENT, "the request cannot be sent; check the configured headers")
    if isinstance(error, httpx.RemoteProtocolError):
        return source_error(url, FailureKind.TRANSIENT, f"the answer breaks HTTP's rules or off: {error}")
    if isinstance(error, httpx.ProxyError):
        kind = FailureKind.DENIED if str(error).startswith("407") else FailureKind.TRANSIENT
        return source_error(url, kind, f"the proxy refused: {error}")
    return _from_network(url, error)


def retry_after(text: str | None) -> float | None:
    """Return the seconds that a Retry-After asks to wait, at most a day; None if it says nothing usable."""
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,18}", text.strip()):
        return min(float(text), DAY)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), DAY)


def _from_network(url: str, error: Exception) -> SourceError:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            break
        if isinstance(cause, ssl.SSLCertVerificationError):
            return source_error(url, FailureKind.TLS, f"the server's certificate is refused: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            return source_error(url, FailureKind.TLS, f"no secure connection: {cause.reason or 'TLS failed'}")
        if isinstance(cause, socket.gaierror):
            return source_error(url, FailureKind.TRANSIENT, "the host name cannot be resolved")
        if isinstance(cause, OSError) and cause.errno:
            return source_error(url, FailureKind.TRANSIENT, os.strerror(cause.errno).lower())
    words = "no connection" if isinstance(error, httpx.ConnectError) else "the connection was lost"
    return source_error(url, FailureKind.TRANSIENT, words)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        error = error.__cause__ or error.__context__
