"""The small interface between the engine and whatever moves the bytes of data files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from core.errors import FailureKind

PLAIN_SIZE = 16 * 1024
"""Bytes of the largest file that a plain job may fetch."""


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """How files of one mirror are reached. Holds secrets: it has no repr, and is never stored.

    A transfer slower than `min_rate` bytes a second over `stall_seconds` is given up as stalled.
    """

    headers: tuple[tuple[str, str], ...] = ()
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    connect_seconds: float = 30.0
    stall_seconds: float = 60.0
    min_rate: int = 1


class Job(NamedTuple):
    """One file to fetch: from `url` to verified bytes in `directory`/`name`.

    `directory` is an open directory descriptor; the file is opened below it without following links.
    `offset` bytes are on disk already and may be continued if the server confirms `validator` (If-Range);
    without one, or without a `digest` to prove the whole, the file is fetched from zero. `plain` asks for no more than
    the bytes of a file of at most PLAIN_SIZE, which are looked at when all have come: that takes less time.
    `fresh` wants a connection of its own: the last try failed, and one that is out of step may be why.
    `stuck` tells that the last try to continue what is on disk brought nothing.
    `accepted` tells that size and digest are no index's: an operator took them from what came before.
    """

    id: int
    url: str
    directory: int
    name: str
    size: int
    digest: str | None
    access: Access
    offset: int = 0
    validator: str | None = None
    sync: bool = False
    plain: bool = False
    fresh: bool = False
    stuck: bool = False
    accepted: bool = False


class Outcome(NamedTuple):
    """How one job ended.

    `kind` None: the bytes are in place, with the listed size and digest, and this BLAKE3; `ctime` is when their inode
    was last changed, in ns. Otherwise `kind` and `detail`
    say why not. `size` and `digest` are what was seen (for evidence), as far as a whole body was seen. `kept` bytes
    remain on disk and can be continued with `validator`. `resumed` tells that the body was continued, not begun.
    `retry_after` is the server's wish in seconds. `elsewhere` tells that the mirror's host had redirected to another
    one: a failure is that one's. `stopped` tells that the job was cancelled by us, or not begun because its host asked
    to be left alone.
    """

    id: int
    kind: FailureKind | None = None
    detail: str = ""
    size: int | None = None
    digest: str | None = None
    blake3: str | None = None
    ctime: int | None = None
    kept: int = 0
    validator: str | None = None
    resumed: bool = False
    fetched: int = 0
    retry_after: float | None = None
    elsewhere: bool = False
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A transfer under way: `received` bytes in hand, which `validator`, if any, would let a later one continue."""

    id: int
    received: int
    validator: str | None


OutcomeSink: TypeAlias = Callable[[list[Outcome]], None]


class Transport(Protocol):
    """Moves files. All methods are called from the event loop's thread and return at once.

    After an answer with Retry-After nothing more is begun at that host before this time: such jobs end as `stopped`.
    """

    def start(self, deliver: OutcomeSink) -> None:
        """Begin; `deliver` is called on the running event loop with the outcomes of ended jobs, in batches."""

    def submit(self, jobs: Iterable[Job]) -> None:
        """Begin these jobs."""

    def cancel(self, ids: Iterable[int]) -> None:
        """Stop these jobs at the next chunk; each still ends with an outcome (`stopped`)."""

    def progress(self) -> list[Progress]:
        """Return how far the transfers under way have come."""

    def limit(self, bytes_per_second: int) -> None:
        """Bound the sum of all transfers' rates; 0 lifts the bound."""

    def close(self) -> None:
        """Stop everything and wait for the threads; no outcome is delivered afterwards."""
