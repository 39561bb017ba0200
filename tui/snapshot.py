"""What the screen wants to know, and what is known: one frozen picture of the state at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.store.screens import (
    EventLine,
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
    subject: Subject | None = None
    files: bool = False
    """Whether the files of the subject are wanted."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Bytes a second over the last hour: the history in equal steps, and now."""

    history: tuple[float, ...] = ()
    now: float = 0.0

    @property
    def highest(self) -> float:
        """The highest value."""
        return max((*self.history, self.now))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state as it was read at `at`. `trouble` says why it could not be read."""

    at: float
    view: View = field(default_factory=View)
    overview: Overview | None = None
    queue: tuple[int, ...] = ()
    lines: Mapping[int, QueueLine] = field(default_factory=dict)
    failures: tuple[FailureLine, ...] = ()
    events: tuple[EventLine, ...] = ()
    throughput: Throughput = field(default_factory=Throughput)
    rates: Mapping[int, float] = field(default_factory=dict)
    """Bytes a second by product."""
    fileset_rates: Mapping[int, float] = field(default_factory=dict)
    """Bytes a second by fileset, of those under way."""
    engine: Engine | None = None
    details: ProductDetails | FilesetDetails | None = None
    files: tuple[FileLine, ...] = ()
    details_history: tuple[float, ...] = ()
    trouble: str = ""

    @property
    def rate(self) -> float:
        """Bytes a second of all products together."""
        return self.throughput.now
