"""The kinds of failure, each with the policy that answers it (docs/design.md, "Trying again")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

HOUR = 3600.0


class ExitCode(IntEnum):
    """What a process of mirrortui ends with."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    FAILURES = 3
    SOURCE = 4
    DISK = 5
    LEASE = 6
    DRAINED = 7
    INTERRUPTED = 130
    TERMINATED = 143


class FailureKind(StrEnum):
    """What went wrong, told by what has to be done about it."""

    TRANSIENT = "transient"
    INTEGRITY = "integrity"
    MISSING = "missing"
    UNSAFE = "unsafe"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    DAMAGED = "damaged"
    MALFORMED = "index_malformed"
    DENIED = "denied"
    TLS = "tls"
    DISK = "disk"


class Answer(StrEnum):
    """What is done after a failure."""

    AGAIN = "again"
    WAIT = "wait"
    QUARANTINE = "quarantine"
    PAUSE_MIRROR = "pause_mirror"
    PAUSE_DESTINATION = "pause_destination"


@dataclass(frozen=True, slots=True)
class Policy:
    """Seconds to wait after the first, second, ... failed try of one kind; after the last: quarantine.

    With `jitter` the wait is drawn evenly from zero to that time, so that many clients do not return at once.
    """

    delays: tuple[float, ...] = ()
    jittered: int = 0
    pause: Answer | None = None


BACKOFF = tuple(min(5.0 * 2**n, 900.0) for n in range(7))

POLICIES: dict[FailureKind, Policy] = {
    FailureKind.TRANSIENT: Policy(BACKOFF + (6 * HOUR,) * 28, jittered=len(BACKOFF)),
    FailureKind.MALFORMED: Policy(BACKOFF + (6 * HOUR,) * 28, jittered=len(BACKOFF)),
    FailureKind.INTEGRITY: Policy((0.0, 900.0, 6 * HOUR)),
    FailureKind.MISSING: Policy((1 * HOUR, 22 * HOUR)),
    FailureKind.UNSAFE: Policy(),
    FailureKind.CONFLICT: Policy(),
    FailureKind.REJECTED: Policy(),
    FailureKind.DAMAGED: Policy(),
    FailureKind.DENIED: Policy(pause=Answer.PAUSE_MIRROR),
    FailureKind.TLS: Policy(pause=Answer.PAUSE_MIRROR),
    FailureKind.DISK: Policy(pause=Answer.PAUSE_DESTINATION),
}

ELSEWHERE = {FailureKind.TLS: FailureKind.UNSAFE, FailureKind.DENIED: FailureKind.MISSING}
"""What a kind of failure that would stop the mirror comes to at a host to which the server has redirected."""


class MirrorError(Exception):
    """An error that an operator can act on: its text says what happened, to what, and what to do."""

    exit_code = ExitCode.INTERNAL


class Stopped(Exception):
    """A long operation was stopped, as was asked for."""


class ConfigError(MirrorError):
    """The configuration, or the command line, is not usable."""

    exit_code = ExitCode.USAGE


class StateError(MirrorError):
    """The state file cannot be used."""

    exit_code = ExitCode.USAGE


class LeaseHeld(MirrorError):
    """Another engine holds the lease of this state file."""

    exit_code = ExitCode.LEASE


class SourceError(MirrorError):
    """A catalogue could not be read; `kind` tells what to do about it.

    `retry_after` is the server's wish in seconds. `elsewhere` tells that the source had redirected to another host,
    whose failure and wish it is. It was `costly` if so much was read in vain that trying again at once is no use.
    """

    exit_code = ExitCode.SOURCE

    def __init__(
        self,
        kind: FailureKind,
        detail: str,
        retry_after: float | None = None,
        status: int | None = None,
        elsewhere: bool = False,
        costly: bool = False,
    ):
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.status = status
        self.elsewhere = elsewhere
        self.costly = costly

    @property
    def host_wish(self) -> float | None:
        """The seconds for which the source's own host asked to be left alone, if it did."""
        return None if self.elsewhere else self.retry_after


class CursorRefused(SourceError):
    """Only the query by a cursor may be what the server refuses: the whole list may be had all the same."""


class DiskError(MirrorError):
    """A destination refuses to take bytes; with `whole` none of any fileset: it is full, read-only, or broken."""

    exit_code = ExitCode.DISK

    def __init__(self, detail: str, whole: bool = False):
        super().__init__(detail)
        self.whole = whole


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and what stands behind it, the members of exception groups included."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from causes(part)
        error = error.__cause__ or error.__context__
