"""One connection: reading requests off it, and putting answers on it byte by byte."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from urllib.parse import unquote

from tests.servers.answers import Answer, Request

PIECE = 256 * 1024


class HungUp(Exception):
    """The conversation on this connection is over."""


async def read_request(reader: asyncio.StreamReader, root: str) -> Request | None:
    """Return the next request, or None if the client closed the connection before one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
    await reader.readexactly(int(headers.get("content-length", 0)))
    raw_path, _, query = target.partition("?")
    inside = raw_path.startswith(f"{root}/")
    parts = raw_path.removeprefix(f"{root}/").split("/") if inside else [raw_path]
    segments = tuple(map(_unquote, parts))
    return Request(method, "/".join(segments), _unquote(query), headers, segments=segments)


def _unquote(text: str) -> str:
    return unquote(text, errors="surrogateescape")


class Wire:
    """Sends the answer to one request, and counts what it sends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request):
        self.reader = reader
        self.writer = writer
        self.request = request

    async def send(self, answer: Answer) -> None:
        """Send a whole answer."""
        await self.head(answer)
        await self.body(answer, answer.body)
        await self.end(answer)

    async def head(self, answer: Answer) -> None:
        """Send the status line and the headers."""
        self.request.status = answer.status
        await self.raw(answer.head())

    async def body(self, answer: Answer, data: bytes) -> None:
        """Send bytes of the body, framed as the answer's head says."""
        if self.request.method == "HEAD":
            return
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            self.request.sent_bytes += len(piece)
            await self.raw(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece)

    async def end(self, answer: Answer) -> None:
        """Send what ends a chunked body."""
        if answer.chunked and self.request.method != "HEAD":
            await self.raw(b"0\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def client_gone(self) -> None:
        """Wait until the client closes its side."""
        while await self.reader.read(PIECE):
            pass

    async def reset(self) -> None:
        """Break the connection by RST once the client's kernel has what was sent so far; raises HungUp."""
        endpoint = self.writer.get_extra_info("socket")
        while self.writer.transport.get_write_buffer_size() or _unacknowledged(endpoint):
            await asyncio.sleep(0.001)
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise HungUp


def _unacknowledged(endpoint: socket.socket) -> int:
    answer = fcntl.ioctl(endpoint.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int.from_bytes(answer, "little")
