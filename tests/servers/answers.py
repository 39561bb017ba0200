"""What is asked of a server on loopback, and the honest answer to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus

from core.demo.ranges import wanted

NOT_FOUND = (
    b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">\n'
    b"<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n"
    b"<p>The requested URL was not found on this server.</p>\n</body></html>\n"
)


@dataclass(slots=True)
class Request:
    """One request as it came in; `path` is unquoted and relative to the store's root.

    `status` is 0 as long as (or if) no status line was sent; `sent_bytes` counts the body.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    status: int = 0
    sent_bytes: int = 0
    segments: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a path leads to. Without `static` it is made by a program: chunked, no validators, no ranges."""

    body: bytes
    type: str = "application/octet-stream"
    etag: str | None = None
    modified: float | None = None
    static: bool = True
    ranges: bool = True
    heeds_if_range: bool = True

    @property
    def last_modified(self) -> str | None:
        return None if self.modified is None else formatdate(self.modified, usegmt=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and body; `length` is what Content-Length says if not the truth."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    length: int | None = None

    def with_headers(self, **headers: str) -> Answer:
        """Return this answer with more headers; underscores in their names stand for hyphens."""
        return replace(self, headers=self.headers | {name.replace("_", "-"): text for name, text in headers.items()})

    def head(self) -> bytes:
        """Return the status line and the headers."""
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}", f"Date: {formatdate(usegmt=True)}"]
        lines.append("Server: Apache/2.4 (Unix)")
        lines += [f"{name}: {text}" for name, text in self.headers.items()]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif self.status not in {204, 304}:
            lines.append(f"Content-Length: {len(self.body) if self.length is None else self.length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(request: Request, resource: Resource | None) -> Answer:
    """Return what a correct server answers: 200, 206, 304, 404 or 416."""
    if resource is None:
        return Answer(404, NOT_FOUND, {"Content-Type": "text/html; charset=iso-8859-1"})
    if not resource.static:
        return Answer(200, resource.body, {"Content-Type": resource.type}, chunked=True)
    headers = _describe(resource)
    if resource.etag is not None and request.headers.get("if-none-match") == resource.etag:
        return Answer(304, headers=headers)
    span = _wanted(request, resource)
    if span is None:
        return Answer(200, resource.body, headers)
    size = len(resource.body)
    if not span:
        return Answer(416, b"", headers | {"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    return Answer(206, resource.body[span.start : span.stop], headers)


def _describe(resource: Resource) -> dict[str, str]:
    headers = {"Content-Type": resource.type, "Accept-Ranges": "bytes" if resource.ranges else "none"}
    if resource.etag is not None:
        headers["ETag"] = resource.etag
    if resource.last_modified is not None:
        headers["Last-Modified"] = resource.last_modified
    return headers


def _wanted(request: Request, resource: Resource) -> range | None:
    """Return the bytes to send: None for all of them, an empty range if the wish cannot be met."""
    if not resource.ranges or not _unchanged(request, resource):
        return None
    return wanted(request.headers.get("range"), len(resource.body))


def _unchanged(request: Request, resource: Resource) -> bool:
    condition = request.headers.get("if-range")
    if condition is None or not resource.heeds_if_range:
        return True
    strong = resource.etag is not None and not resource.etag.startswith("W/")
    return (strong and condition == resource.etag) or condition == resource.last_modified


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unheard Of"
