"""What went wrong over HTTP, as a SourceError in plain words that never hold secrets."""

from __future__ import annotations

import os
import socket
import ssl

import httpx

from core.errors import ELSEWHERE, FailureKind, SourceError, causes
from core.http import retry_after, status_kind, status_words
from core.logs import redact_secrets
from core.text import display
from core.urls import redact


def source_error(
    url: str,
    kind: FailureKind,
    reason: str,
    wait: float | None = None,
    status: int | None = None,
    *,
    costly: bool = False,
) -> SourceError:
    """Return the error that says what was asked for, and what happened; `wait` is the server's wish in seconds.

    `reason` may quote the server, who may send back what we told it: secrets are taken out.
    """
    detail = f"{display(redact(url), 150)}: {display(redact_secrets(reason))}"
    return SourceError(kind, detail, wait, status, costly=costly)


def at_another_host(error: SourceError, host: str) -> SourceError:
    """Return `error` as that of `host`, to which the source had redirected: no more than that index's trouble."""
    detail = f"{error.detail} (redirected to {display(redact_secrets(host))})"
    kind = ELSEWHERE.get(error.kind, error.kind)
    return SourceError(kind, detail, error.retry_after, error.status, elsewhere=True, costly=error.costly)


def from_status(url: str, response: httpx.Response) -> SourceError:
    """Return the error for an answer that is neither 200 nor a redirect."""
    status = response.status_code
    kind = status_kind(status)
    wish = response.headers.get("retry-after") if kind is FailureKind.TRANSIENT else None
    return source_error(url, kind, status_words(status, wish), retry_after(wish), status)


def from_exception(url: str, error: Exception, connect_seconds: float, index_seconds: float) -> SourceError:
    """Return the error for what httpx raised. The text of an exception is used only where it holds nothing of ours."""
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return source_error(url, FailureKind.TRANSIENT, f"no connection within {connect_seconds:g} s")
    if isinstance(error, httpx.TimeoutException):
        return source_error(url, FailureKind.TRANSIENT, f"no answer within {index_seconds:g} s")
    # httpx reads a Location that it is not to follow, too, and has the wrong name for one that it can't read.
    location = isinstance(error.__context__, httpx.InvalidURL)
    if location or isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
        return source_error(url, FailureKind.UNSAFE, "not a usable URL, or a redirect to one")
    if isinstance(error, httpx.LocalProtocolError):
        return source_error(url, FailureKind.TRANSIENT, "the request cannot be sent; check the configured headers")
    if isinstance(error, httpx.RemoteProtocolError):
        return source_error(url, FailureKind.TRANSIENT, f"the answer breaks off, or HTTP's rules: {error}")
    if isinstance(error, httpx.ProxyError):
        kind = FailureKind.DENIED if str(error).startswith("407") else FailureKind.TRANSIENT
        return source_error(url, kind, f"the proxy refused: {error}")
    return _from_network(url, error)


def _from_network(url: str, error: Exception) -> SourceError:
    for cause in causes(error):
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
