"""How an answer goes over the wire, as data: a script is a sequence of steps, played on a raw connection.

The steps speak of the honest answer to the request, so that a script can keep to it up to any byte, and leave it there.
A script ends with its last step; the connection then serves the next request, unless a step closed it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tests.servers.answers import Answer
from tests.servers.wire import PIECE, HungUp, Wire

MOMENT = 0.005


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and the headers of the answer, up to byte `stop` (None: all; negative: as many less)."""

    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The body of the answer from byte `start` to `stop` (None: to its end), framed as the head says.

    With `rate` it comes in small pieces, so many bytes a second; with `chunk` in chunks of so many, as fast as can be.
    """

    start: int = 0
    stop: int | None = None
    rate: float | None = None
    chunk: int | None = None


@dataclass(frozen=True, slots=True)
class More:
    """Bytes that belong to no file, as a part of the body: framed as the head says."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """What ends a chunked body."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are, whatever they mean to the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Echo:
    """The headers of the request, the longest first, sent back in one line: what pages for debugging do."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing, for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Until:
    """Nothing, until the test opens the gate."""

    opened: threading.Event


@dataclass(frozen=True, slots=True)
class Again:
    """Steps over and over: so many times, or (None) until the client has had enough."""

    steps: tuple[Step, ...]
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing, until the client closes its side; then the connection is closed."""


@dataclass(frozen=True, slots=True)
class Close:
    """The connection is closed in good order."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset (RST) as soon as what was sent has arrived."""


Step: TypeAlias = Head | Body | More | End | Raw | Echo | Wait | Until | Again | Silence | Close | Reset

FAITHFULLY: tuple[Step, ...] = (Head(), Body(), End())


async def play(script: Sequence[Step], wire: Wire, answer: Answer) -> None:
    """Send `answer` as `script` says; raises HungUp where it ends the connection."""
    for step in script:
        await _take(step, wire, answer)


async def _take(step: Step, wire: Wire, answer: Answer) -> None:  # noqa: C901 - a case for each step
    match step:
        case Head():
            wire.request.status = answer.status
            await wire.raw(answer.head()[: step.stop])
        case Body(chunk=int(size)):
            await wire.raw(b"".join(_chunks(answer.body[step.start : step.stop], size)))
        case Body(rate=None):
            await wire.body(answer, answer.body[step.start : step.stop])
        case Body():
            await _drip(wire, answer, step)
        case More(data):
            await wire.body(answer, data)
        case End():
            await wire.end(answer)
        case Raw(data):
            await wire.raw(data)
        case Echo():
            await wire.body(answer, _heard(wire))
        case Wait(seconds):
            await asyncio.sleep(seconds)
        case Until(opened):
            while not opened.is_set():
                await asyncio.sleep(MOMENT)
        case Again(steps, times):
            while times is None or (times := times - 1) >= 0:
                await play(steps, wire, answer)
        case Silence():
            await wire.client_gone()
            raise HungUp
        case Close():
            raise HungUp
        case Reset():
            await wire.reset()


def _chunks(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def _heard(wire: Wire) -> bytes:
    lines = sorted((f"{name}: {text}" for name, text in wire.request.headers.items()), key=len, reverse=True)
    return "; ".join(lines).encode("latin-1")


async def _drip(wire: Wire, answer: Answer, step: Body) -> None:
    rate = step.rate or PIECE
    size = max(1, round(rate / 50))
    body = answer.body[step.start : step.stop]
    for start in range(0, len(body), size):
        await wire.body(answer, body[start : start + size])
        await asyncio.sleep(size / rate)
