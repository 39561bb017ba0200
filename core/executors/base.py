"""What the engine asks of whoever runs transfers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from core.destinations.base import Destination
from core.transfer.base import Access, OutcomeSink, Progress


class Work(NamedTuple):
    """A file-sized, idempotent piece of work: fetch `url` into the staging area of `fileset` as `name`."""

    id: int
    fileset: int
    url: str
    name: str
    size: int
    digest: str | None
    access: Access
    offset: int = 0
    validator: str | None = None
    plain: bool = False
    fresh: bool = False
    stuck: bool = False
    accepted: bool = False


class Executor(Protocol):
    """Runs transfers somewhere. All methods return at once; outcomes arrive on the event loop, in batches."""

    def start(self, deliver: OutcomeSink) -> None:
        """Begin; `deliver` is called with the outcomes of ended works."""

    def begin(self, fileset: int, destination: Destination) -> None:
        """Announce that works of this fileset follow, and where it is staged. Raises DiskError."""

    def end(self, fileset: int) -> None:
        """Announce that no work of this fileset is under way or will follow."""

    def submit(self, works: Iterable[Work]) -> None:
        """Run these works."""

    def cancel(self, ids: Iterable[int]) -> None:
        """Stop these works at the next chunk; each still ends with an outcome."""

    def progress(self) -> list[Progress]:
        """Return how far the works under way have come."""

    def limit(self, bytes_per_second: int) -> None:
        """Bound the sum of all rates; 0 lifts the bound."""

    def close(self) -> None:
        """Stop everything; no outcome is delivered afterwards."""
