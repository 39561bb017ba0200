"""What the screen wants to know, and what is known: one frozen picture of the state at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.store.screens import (
    EventLine,
    FailureGroup,
    FailureLine,
    FileLine,
    FilesetDetails,
    Overview,
    ProductDetails,
    QueueLine,
    QueueOrder,
)
from tui.attach import Engine


@dataclass(frozen=True, slots=True)
class Subject:
    """What the details are about: a product or a fileset, by its id."""

    noun: str
    id: int


@dataclass(frozen=True, slots=True)
class View:
    """What the screen asks for; the rest of the state is not read."""

    order: QueueOrder = QueueOrder.TURN
    reverse: bool = False
    like: str = ""
    problems: bool = False
    visible: tuple[int, ...] = ()
    """The filesets of the queue that are in sight, from top to bottom."""
    anchor: tuple[int | None, int] = (None, 0)
    """That of them which stays on its line whatever comes and goes, and that line."""
    subject: Subject | None = None
    files: bool = False
    """Whether the files of the subject are wanted."""
    failed_like: str = ""
    opened: frozenset[str] = frozenset()
    """The groups of failures whose lines are wanted, however many these are."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Bytes a second over the last hour: the history in equal steps, the highest of ten seconds; and now.

    All but `now` are as the state has them, so that all dashboards tell the same.
    """

    history: tuple[float, ...] = ()
    now: float = 0.0
    peak: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state as it was read at `at`. `trouble` says why it could not be read."""

    at: float
    view: View = field(default_factory=View)
    overview: Overview | None = None
    queue: tuple[int, ...] = ()
    lines: Mapping[int, QueueLine] = field(default_factory=dict)
    failing: tuple[FailureGroup, ...] = ()
    """All that failed."""
    groups: tuple[FailureGroup, ...] = ()
    """What of it the filter lets through."""
    failures: tuple[FailureLine, ...] = ()
    """Line by line, where it is little or was asked for."""
    events: tuple[EventLine, ...] = ()
    throughput: Throughput = field(default_factory=Throughput)
    rates: Mapping[int, float] = field(default_factory=dict)
    """Bytes a second by product."""
    noted: Mapping[str, str] = field(default_factory=dict)
    """The kinds of the wishes that wait for an engine, by the whole name of the fileset."""
    fileset_rates: Mapping[int, float] = field(default_factory=dict)
    """Bytes a second by fileset, of those under way."""
    engine: Engine | None = None
    details: ProductDetails | FilesetDetails | None = None
    files: tuple[FileLine, ...] = ()
    details_history: tuple[float, ...] = ()
    trouble: str = ""
    outdated: bool = False
    """Whether that is because the engine at work is of an older version."""
    broken: bool = False
    """Whether it is because of what the state file contains, so that an engine would fare no better."""

    @property
    def rate(self) -> float:
        """Bytes a second of all products together."""
        return self.throughput.now
