"""The ways in which a Data Store misbehaves on command."""

from __future__ import annotations

import gzip
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from tests.servers.answers import Answer, Resource
from tests.servers.script import FAITHFULLY, Again, Body, Close, End, Head, More, Raw, Reset, Silence, Step, Until, Wait
from tests.servers.wire import PIECE

ResourceChange: TypeAlias = Callable[[Resource], Resource]
AnswerChange: TypeAlias = Callable[[Answer], Answer]


def _same_resource(resource: Resource) -> Resource:
    return resource


def _same_answer(answer: Answer) -> Answer:
    return answer


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault is a change of what is served, of the answer about it, or of how the answer is sent.

    ``a & b`` has the changes of both; the script is that of `b`, or that of `a` if `b` sends faithfully.
    """

    name: str
    change_resource: ResourceChange = _same_resource
    change_answer: AnswerChange = _same_answer
    steps: tuple[Step, ...] = FAITHFULLY

    def __and__(self, other: Fault) -> Fault:
        return Fault(
            f"{self.name} and {other.name}",
            lambda resource: other.change_resource(self.change_resource(resource)),
            lambda answer: other.change_answer(self.change_answer(answer)),
            self.steps if other.steps is FAITHFULLY else other.steps,
        )

    # What is served is not what was meant to be.

    @classmethod
    def flip(cls, offset: int) -> Fault:
        """One bit of the byte at `offset` is wrong."""
        return cls("flip", lambda resource: replace(resource, body=_flipped(resource.body, offset)))

    @classmethod
    def replace(cls, content: bytes) -> Fault:
        """Other bytes are served, under the same validators."""
        return cls("replace", lambda resource: replace(resource, body=content))

    @classmethod
    def longer(cls, extra: bytes, declared: bool = True) -> Fault:
        """`extra` follows the file: as part of it, or (not `declared`) beyond the Content-Length."""
        if declared:
            return cls("longer", lambda resource: replace(resource, body=resource.body + extra))
        return cls("longer than declared", steps=(*FAITHFULLY, Raw(extra), Close()))

    @classmethod
    def no_validators(cls) -> Fault:
        """Neither ETag nor Last-Modified."""
        return cls("no validators", lambda resource: replace(resource, etag=None, modified=None))

    @classmethod
    def weak_etag(cls) -> Fault:
        """The ETag is weak."""
        return cls("weak ETag", lambda resource: replace(resource, etag=f"W/{resource.etag}"))

    @classmethod
    def changing_etag(cls) -> Fault:
        """The ETag is another one in every answer."""
        numbers = itertools.count(1)
        return cls("changing ETag", lambda resource: replace(resource, etag=f'"{next(numbers)}"'))

    @classmethod
    def no_range(cls) -> Fault:
        """A Range is answered by 200 and the whole file."""
        return cls("no range", lambda resource: replace(resource, ranges=False))

    @classmethod
    def ignore_if_range(cls) -> Fault:
        """A Range is answered by 206 even though the file is not the one that If-Range names."""
        return cls("If-Range ignored", lambda resource: replace(resource, heeds_if_range=False))

    # The answer is wrong.

    @classmethod
    def status(
        cls,
        code: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        retry_after: str | int | None = None,
    ) -> Fault:
        """Another status, with an optional Retry-After (seconds, or an HTTP date)."""
        extra = dict(headers or {}) | ({} if retry_after is None else {"Retry-After": str(retry_after)})
        return cls(f"status {code}", change_answer=lambda _: Answer(code, body, extra))

    @classmethod
    def redirect(cls, location: str, code: int = 302) -> Fault:
        """A redirect to `location`, which may be relative."""
        return cls("redirect", change_answer=lambda _: Answer(code, headers={"Location": location}))

    @classmethod
    def range_not_satisfiable(cls) -> Fault:
        """416, whatever was asked for."""
        return cls("416", change_answer=lambda _: Answer(416, headers={"Content-Range": "bytes */0"}))

    @classmethod
    def wrong_range(cls, start: int = 0) -> Fault:
        """A 206 tells of other bytes than were asked for: those from `start` on."""

        def change(answer: Answer) -> Answer:
            if answer.status != 206:
                return answer
            total = answer.headers["Content-Range"].rpartition("/")[2]
            return answer.with_headers(Content_Range=f"bytes {start}-{start + len(answer.body) - 1}/{total}")

        return cls("wrong range", change_answer=change)

    @classmethod
    def short_length(cls, count: int) -> Fault:
        """Only `count` bytes are declared, and sent."""
        return cls("short length", change_answer=lambda answer: replace(answer, body=answer.body[:count]))

    @classmethod
    def lie_length(cls, length: int) -> Fault:
        """The Content-Length is `length`; the body is as it should be; then the connection is closed."""
        return cls(
            "lying length",
            change_answer=lambda answer: replace(answer, length=length),
            steps=(*FAITHFULLY, Close()),
        )

    @classmethod
    def gzip(cls) -> Fault:
        """The body is compressed though nobody asked for it."""

        def change(answer: Answer) -> Answer:
            return replace(answer, body=gzip.compress(answer.body, 1)).with_headers(Content_Encoding="gzip")

        return cls("gzip", change_answer=change)

    @classmethod
    def chunked(cls) -> Fault:
        """The body comes in chunks, its length is not told."""
        return cls("chunked", change_answer=lambda answer: replace(answer, chunked=True))

    @classmethod
    def crumbs(cls, size: int) -> Fault:
        """The body comes in chunks of `size` bytes."""
        return cls.chunked() & cls("crumbs", steps=(Head(), Body(chunk=size), End()))

    # The answer is sent badly; `after` counts bytes of the body.

    @classmethod
    def played(cls, *steps: Step, name: str = "script") -> Fault:
        """The answer is sent by a script of its own (see tests.servers.script)."""
        return cls(name, steps=steps)

    @classmethod
    def reset(cls, after: int = 0) -> Fault:
        """The connection is reset (RST) when `after` bytes have arrived."""
        return cls("reset", steps=(Head(), Body(stop=after), Reset()))

    @classmethod
    def refuse(cls) -> Fault:
        """The connection is reset before any answer."""
        return cls("refuse", steps=(Reset(),))

    @classmethod
    def truncate(cls, after: int = 0) -> Fault:
        """The whole length is promised; the connection is closed in good order after `after` bytes."""
        return cls("truncate", steps=(Head(), Body(stop=after), Close()))

    @classmethod
    def stall(cls, after: int = 0) -> Fault:
        """Nothing comes after `after` bytes; the connection stays open."""
        return cls("stall", steps=(Head(), Body(stop=after), Silence()))

    @classmethod
    def gate(cls, opened: threading.Event, after: int = 0) -> Fault:
        """Nothing comes after `after` bytes until `opened` is set; then the rest does."""
        return cls("gate", steps=(Head(), Body(stop=after), Until(opened), Body(after), End()))

    @classmethod
    def late(cls, opened: threading.Event) -> Fault:
        """No answer begins before `opened` is set."""
        return cls("late", steps=(Until(opened), *FAITHFULLY))

    @classmethod
    def drip(cls, bytes_per_second: float, after: int = 0) -> Fault:
        """The body comes slowly after its first `after` bytes."""
        return cls("drip", steps=(Head(), Body(stop=after), Body(after, rate=bytes_per_second), End()))

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """The answer begins late."""
        return cls("delay", steps=(Wait(seconds), *FAITHFULLY))

    @classmethod
    def slow_headers(cls, interval: float = 0.05) -> Fault:
        """The headers never end: one more every `interval` seconds."""
        return cls("slow headers", steps=(Head(-2), Again((Raw(b"X-More: 1\r\n"), Wait(interval)))))

    @classmethod
    def half_headers(cls) -> Fault:
        """The connection is closed in the middle of the headers."""
        return cls("half headers", steps=(Head(60), Close()))

    @classmethod
    def garbage(cls, data: bytes = b"\x00\xff\x13SSH-2.0-nonsense\r\n\r\n\x7f") -> Fault:
        """The answer is not HTTP at all."""
        return cls("garbage", steps=(Raw(data), Close()))

    @classmethod
    def endless(cls, piece: bytes, start: bytes = b"") -> Fault:
        """The body is `start`, then `piece` again and again until the client has had enough."""
        answer = Answer(200, headers={"Content-Type": "text/plain"}, chunked=True)
        block = piece * max(1, PIECE // len(piece))
        return cls("endless", change_answer=lambda _: answer, steps=(Head(), More(start), Again((More(block),))))


def _flipped(body: bytes, offset: int) -> bytes:
    return body[:offset] + bytes([body[offset] ^ 1]) + body[offset + 1 :]
