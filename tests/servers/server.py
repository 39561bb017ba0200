"""An HTTP/1.1 server over real sockets on loopback, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import fnmatch
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from tests.servers.answers import Request
from tests.servers.wire import HungUp, Wire, read_request


class Server:
    """Answers requests below `root` by `respond`, and remembers them; usable from any thread and any process.

    After `close`, `start` listens on the same port again.
    """

    root = "/ds"
    address = "127.0.0.1"

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.connections = 0
        self.busiest = 0
        self._busy = 0
        self._tls = tls
        self._requests: list[Request] = []
        self._arrived = threading.Condition()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._open: dict[asyncio.Task[None], asyncio.WriteTransport] = {}

    async def respond(self, request: Request, wire: Wire) -> None:
        """Answer one request; raise HungUp to end the connection."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The root of the store, without a final slash."""
        return f"{'https' if self._tls else 'http'}://{self.address}:{self.port}{self.root}"

    def start(self) -> Self:
        """Listen, and answer from now on."""
        listener = socket.create_server((self.address, self.port), backlog=512)
        # Connections inherit it; else a body sent after its head waits for a delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listener.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(listener, ready),), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def close(self) -> None:
        """Break all connections and stop listening."""
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = self._loop = None

    def __enter__(self) -> Self:
        return self if self._thread else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def requests(self) -> list[Request]:
        """A copy of all requests so far, in the order of their arrival."""
        with self._arrived:
            return [replace(request) for request in self._requests]

    def requested(self, path_glob: str) -> list[Request]:
        """Return the requests whose path, or ``path?query``, matches `path_glob`."""
        return [request for request in self.requests if matches(request, path_glob)]

    def forget(self) -> None:
        """Forget all requests, and what was counted."""
        with self._arrived:
            self._requests.clear()
            self.connections = self.busiest = 0

    def wait_for(self, path_glob: str, count: int = 1, timeout: float = 20.0) -> list[Request]:
        """Return the matching requests as soon as there are `count`; raises TimeoutError."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.requested(path_glob)) >= count, timeout):
                raise TimeoutError(f"{path_glob} was not requested {count} times")
            return self.requested(path_glob)

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._connected, sock=listener, ssl=self._tls, backlog=512)
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        ready.set()
        await self._stop.wait()
        asyncio.get_running_loop().remove_reader(listener)
        await asyncio.sleep(0.01)  # a closed server forgets what it was about to accept, and leaves it open for ever
        server.close()
        for transport in self._open.values():
            transport.abort()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._converse(reader, writer))
        self._open[task] = writer.transport
        task.add_done_callback(self._open.pop)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            with suppress(HungUp):
                await self._answer_all(reader, writer)
            writer.close()
            await writer.wait_closed()
        writer.transport.abort()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader, self.root):
            await self._attend(request, Wire(reader, writer, request))
            if request.headers.get("connection", "").lower() == "close":
                return

    async def _attend(self, request: Request, wire: Wire) -> None:
        with self._arrived:
            self._requests.append(request)
            self._arrived.notify_all()
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        try:
            await self.respond(request, wire)
        finally:
            self._busy -= 1


def matches(request: Request, path_glob: str) -> bool:
    """Tell whether the path of `request`, or its path with the query, is or matches `path_glob`."""
    whole = f"{request.path}?{request.query}"
    return path_glob in {request.path, whole} or any(fnmatch.fnmatchcase(at, path_glob) for at in (request.path, whole))
