"""The nouns of a mirror as plain values; the words are those of docs/design.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class FilesetState(StrEnum):
    """Where a fileset stands between its discovery and its publication."""

    DISCOVERED = "discovered"
    EXCLUDED = "excluded"
    QUEUED = "queued"
    TRANSFERRING = "transferring"
    STAGED = "staged"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    DAMAGED = "damaged"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    HELD = "held"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


class FileState(StrEnum):
    """Where one file stands between its listing and the publication of its fileset."""

    PENDING = "pending"
    ACTIVE = "active"
    PARTIAL = "partial"
    RETRY_WAIT = "retry_wait"
    STAGED = "staged"
    PUBLISHED = "published"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"


class Trouble(StrEnum):
    """What keeps an open fileset from being published, if anything does."""

    NONE = ""
    FAILED = "failed"
    QUARANTINED = "quarantined"


class Durability(StrEnum):
    """How much is flushed to disk before a fileset is published."""

    FULL = "full"
    FILESET = "fileset"
    NONE = "none"


class Damage(StrEnum):
    """What a verification found wrong with something published."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"
    UNREADABLE = "unreadable"


class CommandKind(StrEnum):
    """What an operator can wish for; each wish is a row in the command table."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    CANCEL = "cancel"
    REQUEUE = "requeue"
    PAUSE = "pause"
    RESUME = "resume"
    PRIORITY = "priority"
    NOW = "now"
    MOVE = "move"
    POLL = "poll"
    MIRROR = "mirror"
    IGNORE = "ignore"
    LIMIT = "limit"
    ACCEPT = "accept"
    VERIFY = "verify"
    STOP = "stop"


class Phase(StrEnum):
    """What an engine is about, as the setting `phase` tells while one runs."""

    RUNNING = "running"
    DRAINING = "draining"


OPEN_STATES = (
    FilesetState.DISCOVERED,
    FilesetState.QUEUED,
    FilesetState.TRANSFERRING,
    FilesetState.STAGED,
    FilesetState.PUBLISHING,
    FilesetState.DAMAGED,
)
"""Wanted and not yet published: what lag and backlog are made of."""

Columns: TypeAlias = dict[str, str | None]
"""Further columns of a row by header name; None where the catalogue says ``null``."""


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """A product as the root of a source lists it."""

    name: str
    most_recent: str | None = None
    registered: int | None = None
    type: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class ListedFileset:
    """A fileset as its product's index lists it, in this line; `registered` is in seconds since the epoch."""

    name: str
    registered: int
    type: str
    columns: Columns = field(default_factory=dict)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as its fileset's index lists it; `digest` is lower-case hex MD5, or None if not given."""

    name: str
    size: int
    digest: str | None
    type: str
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A catalogue row that was refused: its line (from 1), what it said, and why it was refused."""

    line: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of a published fileset that is not as it should be; `file` is None for what is no file of it.

    `name` is empty for the fileset as a whole. `size` and `digest` (MD5) are what was seen.
    """

    name: str
    damage: Damage
    detail: str
    file: int | None = None
    size: int | None = None
    digest: str | None = None
