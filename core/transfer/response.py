"""What an answer, or the lack of one, means: heads, statuses and curl's errors told as failures."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import pycurl

from core.errors import FailureKind
from core.http import retry_after, status_kind, status_words
from core.logs import holds_secret
from core.text import display
from core.units import format_bytes

DENIED = "access denied, check the credentials of this mirror"
CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
STRONG_ETAG = re.compile(r'"[^"]*"')
LISTS = frozenset({"etag", "retry-after"})
"""Headers of which all count, if there are several: the last one may not be the right one."""

TLS_CODES = frozenset(
    {
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_ENGINE_NOTFOUND,
        pycurl.E_SSL_ENGINE_SETFAILED,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_USE_SSL_FAILED,
        pycurl.E_SSL_ENGINE_INITFAILED,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_CRL_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_PINNEDPUBKEYNOTMATCH,
        pycurl.E_SSL_INVALIDCERTSTATUS,
    }
)
BROKEN_CODES = frozenset({pycurl.E_PARTIAL_FILE, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR, pycurl.E_GOT_NOTHING})
CUT_OFF = ("SSL_ERROR_SYSCALL", "unexpected eof")
"""What OpenSSL says when the other side has gone in the middle of a handshake."""
NETWORK_ERRNOS = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job did not succeed; `retry_after` is the server's wish in seconds."""

    kind: FailureKind
    detail: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The status of an answer and its headers, by lower-case name."""

    status: int
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def validator(self) -> str | None:
        """What proves that the bytes are still the same (RFC 9110, 13.1.5): a strong ETag, else Last-Modified.

        It is kept in the state, so it must not be a secret that the server sends back.
        """
        tag = self.fields.get("etag", "")
        if STRONG_ETAG.fullmatch(tag) and _fit_to_keep(tag):
            return tag
        date = self.fields.get("last-modified", "")
        strong = date != self.fields.get("date")  # it may be changed once more in the same second (RFC 9110, 8.8.2.2)
        return date if date and strong and _fit_to_keep(date) else None

    @property
    def length(self) -> int | None:
        """The announced length of the body, if there is one."""
        return _number(self.fields.get("content-length", ""))

    @property
    def framed(self) -> bool:
        """True if the end of the body can be told from a broken connection."""
        return self.length is not None or "chunked" in self.fields.get("transfer-encoding", "").lower()

    @property
    def encoding(self) -> str | None:
        """The Content-Encoding, unless it is identity."""
        name = self.fields.get("content-encoding", "").strip().lower()
        return None if name in {"", "identity"} else name

    def confirms(self, validator: str) -> bool:
        """Tell whether this answer may be of the bytes that `validator` stands for.

        It may leave out Last-Modified after If-Range (RFC 9110, 15.3.7); a server that ignores If-Range sends a part
        of whatever it has now. So this spares bytes, and proves nothing: only a digest does.
        """
        told = self.fields.get("etag" if validator.startswith('"') else "last-modified")
        return told in {None, validator}

    def continues(self, offset: int, size: int) -> bool:
        """Tell whether this 206 holds exactly the bytes from `offset` to the end of a file of `size` bytes."""
        match = CONTENT_RANGE.fullmatch(self.fields.get("content-range", ""))
        exact = match is not None and tuple(map(int, match.groups())) == (offset, size - 1, size)
        return exact and self.length in {None, size - offset} and self.encoding is None


def parse_head(lines: Iterable[bytes]) -> Head:
    """Return the last head of `lines`: what went before it were interim answers (1xx) or a proxy's.

    Lines that follow its blank one are trailers: they come after a body, and are none of its head.
    """
    status = 0
    ended = False
    fields: dict[str, str] = {}
    for line in b"".join(lines).decode("utf-8", "surrogateescape").split("\n"):
        if line.startswith("HTTP/"):
            status = _number(line[9:12]) or 0
            fields, ended = {}, False
        elif not line.strip():
            ended = True
        elif ":" in line and not ended:
            name, _, text = line.partition(":")
            key, text = name.lower(), text.strip()
            fields[key] = f"{fields[key]}, {text}" if key in LISTS and key in fields else text
    return Head(status, fields)


def status_failure(head: Head) -> Failure:
    """Return what a status that brings no file means."""
    kind = status_kind(head.status)
    if kind is FailureKind.TRANSIENT:
        wish = head.fields.get("retry-after")
        return Failure(kind, status_words(head.status, wish), retry_after(wish))
    words = status_words(head.status)
    return Failure(kind, f"{words}: {DENIED if kind is FailureKind.DENIED else 'the file is not there'}")


def curl_failure(code: int, message: str, os_error: int, asked: bool) -> Failure:
    """Return what curl's error `code` means, where nothing is known of a body.

    `message` is curl's own text, `os_error` the last errno of its socket; `asked` tells whether the
    request was sent, so that a connection, TLS included, was made.
    """
    if code in TLS_CODES and not _network_broke(os_error, message):
        return Failure(FailureKind.TLS, display(f"TLS: {message}"))
    if code in {pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL} and not asked:
        return Failure(FailureKind.UNSAFE, "the URL cannot be used: curl refuses to read it")
    return Failure(FailureKind.TRANSIENT, display(_network_words(code, message, os_error, asked)))


def break_words(received: int, size: int) -> str:
    """Say how much of a file had come."""
    return f"after {format_bytes(received)} of {format_bytes(size)}"


def _network_words(code: int, message: str, os_error: int, asked: bool) -> str:
    if code == pycurl.E_COULDNT_RESOLVE_HOST:
        return "host name not found"
    if code == pycurl.E_COULDNT_RESOLVE_PROXY:
        return "the proxy's host name was not found"
    if code == pycurl.E_COULDNT_CONNECT:
        return os.strerror(os_error).lower() if os_error else "no connection could be made"
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return "no answer in time" if asked else "no connection could be made in time"
    if code in BROKEN_CODES or code in TLS_CODES:
        return "the connection broke before an answer came"
    return f"no usable answer: {message}" if message else f"no usable answer (curl error {code})"


def _network_broke(os_error: int, message: str) -> bool:
    """Tell a handshake that was cut off (the network's fault) from one that was refused (TLS)."""
    return os_error in NETWORK_ERRNOS or any(words in message for words in CUT_OFF)


def _fit_to_keep(validator: str) -> bool:
    return validator.isascii() and validator.isprintable() and not holds_secret(validator)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
