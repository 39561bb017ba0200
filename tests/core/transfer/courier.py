"""Runs jobs on a real transport, into a directory, and waits for what becomes of them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.transfer.base import Access, Job, Outcome
from core.transfer.curl import CurlTransport

QUICK = Access(connect_seconds=5.0, stall_seconds=1.0)


def content(size: int, seed: int = 0) -> bytes:
    """Return bytes that repeat nowhere near, so that a splice shows."""
    return hashlib.shake_128(seed.to_bytes(4, "big")).digest(size)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Courier:
    """Runs jobs on a transport, and waits for their outcomes."""

    def __init__(self, target: Path, transport: CurlTransport | None = None):
        self.target = target
        self.directory = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
        self.transport = transport or CurlTransport()
        self.outcomes: dict[int, Outcome] = {}
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self._changed = asyncio.Event()
        self._numbers = 0
        self.transport.start(self._take)

    def job(self, url: str, data: bytes, **more: object) -> Job:
        """Return a job for the file at `url`, listed as `data`."""
        self._numbers += 1
        plain = Job(self._numbers, url, self.directory, "a.dat", len(data), md5(data), QUICK)
        return plain._replace(**more)  # type: ignore[arg-type]

    async def fetch(self, job: Job) -> Outcome:
        """Run one job to its end."""
        self.transport.submit([job])
        return await self.outcome(job)

    async def outcome(self, job: Job) -> Outcome:
        """Wait for the outcome of `job`."""
        while job.id not in self.outcomes:
            self._changed.clear()
            await self._changed.wait()
        return self.outcomes[job.id]

    async def received(self, job: Job, count: int) -> None:
        """Wait until `count` bytes of `job` are in hand."""
        while not any(each.id == job.id and each.received >= count for each in self.transport.progress()):
            assert job.id not in self.outcomes, self.outcomes[job.id]
            await asyncio.sleep(0.005)

    def on_disk(self, name: str = "a.dat") -> bytes | None:
        """Return what is in the target directory under `name`, if anything."""
        path = self.target / name
        return path.read_bytes() if path.exists() else None

    def close(self) -> None:
        self.transport.close()
        os.close(self.directory)

    def _take(self, outcomes: list[Outcome]) -> None:
        self.loops.add(asyncio.get_running_loop())
        self.outcomes.update((outcome.id, outcome) for outcome in outcomes)
        self._changed.set()


@contextmanager
def one_answer(head: bytes, endless: bytes = b"") -> Iterator[str]:
    """Yield the URL of a server that sends `head` to its one client, then `endless` until that one has had enough."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(head)
                while endless:
                    connection.sendall(endless)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/a.dat"
        thread.join()
