"""The queue: what is being fetched, and what comes next."""

from __future__ import annotations

from core.model import FilesetState, Trouble
from core.store.screens import QueueLine
from core.text import display
from tui import format as fmt
from tui import states
from tui.format import Mark
from tui.snapshot import Snapshot
from tui.widgets.table import Cell, Column, Row

COLUMNS = (
    Column("name", "fileset", 16, grow=True, tail=7),
    Column("product", "product", 14, grow=True, rank=1, tail=6),
    Column("state", "state", 12),
    Column("priority", "prio", 4, "right", rank=5),
    Column("progress", "progress", 10, rank=2),
    Column("files", "files", 11, "right", rank=7),
    Column("size", "size", 8, "right", rank=6),
    Column("rate", "B/s", 6, "right", rank=4),
    Column("eta", "eta", 6, "right", rank=3),
)
SORTS = ("turn", "name", "product", "size", "registered", "state")
BAR = 5

_MARKS = {
    FilesetState.DISCOVERED: Mark("?", "new", "dim"),
    FilesetState.QUEUED: Mark("-", "queued", ""),
    FilesetState.TRANSFERRING: Mark(">", "fetching", "accent"),
    FilesetState.STAGED: Mark("*", "staged", "accent"),
    FilesetState.PUBLISHING: Mark("*", "publishing", "accent"),
    FilesetState.HELD: Mark("=", "held", "warn"),
    FilesetState.PUBLISHED: Mark("+", "published", "good"),
    FilesetState.DAMAGED: Mark("x", "damaged", "bad"),
}
_WAITING = Mark("-", "waiting", "")
"""Begun, and nothing of it moves at this moment."""
_TO_RETRY = Mark("~", states.TROUBLES[Trouble.FAILED], "warn")
_BLOCKED = Mark("x", states.TROUBLES[Trouble.QUARANTINED], "bad")
_STOPPED = Mark("x", "stopped", "bad")
_PAUSED = Mark("=", "paused", "warn")
_RESTS = Mark("~", "host rests", "warn")
_FETCHED_LATER = {FilesetState.DISCOVERED, FilesetState.QUEUED, FilesetState.TRANSFERRING}


def mark(line: QueueLine, now: float) -> Mark:
    """Return where a fileset stands."""
    state = FilesetState(line.state)
    stands = state in _FETCHED_LATER and not line.active
    cases = (
        (state in {FilesetState.HELD, FilesetState.PUBLISHED}, _MARKS.get(state)),
        (line.trouble == Trouble.QUARANTINED, _BLOCKED),
        (stands and line.stopped, _STOPPED),
        (stands and line.paused, _PAUSED),
        (stands and line.rests_until is not None and line.rests_until > now, _RESTS),
        (line.trouble == Trouble.FAILED and not line.active, _TO_RETRY),
        (state is FilesetState.TRANSFERRING and 0 < line.files <= line.done_files, _MARKS[FilesetState.STAGED]),
        (state is FilesetState.TRANSFERRING and stands, _WAITING),
        (True, _MARKS.get(state)),
    )
    return next((mark for holds, mark in cases if holds and mark), Mark(".", str(state), "dim"))


def share(line: QueueLine) -> float:
    """Return how much of a fileset's bytes is there, from 0 to 1."""
    return line.done_bytes / line.bytes if line.bytes else 0.0


def remaining(snapshot: Snapshot, line: QueueLine) -> float | None:
    """Return the seconds until a fileset under way is complete, at its present rate."""
    return fmt.eta(line.bytes - line.done_bytes, snapshot.fileset_rates.get(line.id, 0.0))


def _state(snapshot: Snapshot, line: QueueLine) -> Cell:
    """Return where a fileset stands, or what is to become of it as soon as there is an engine."""
    if wish := snapshot.noted.get(line.whole):
        return Cell(f"= {display(wish)} noted", "warn", "= noted")
    found = mark(line, snapshot.at)
    return Cell(str(found), found.style)


def row(snapshot: Snapshot, line: QueueLine) -> Row:
    """Return the cells of one fileset."""
    begun = line.done_bytes > 0 or line.state == FilesetState.TRANSFERRING
    done = share(line)
    return (
        Cell(display(line.name)),
        Cell(display(line.product), "dim"),
        _state(snapshot, line),
        Cell(f"{line.priority:+d}" if line.priority else ""),
        Cell(f"{fmt.bar(done, BAR)} {int(done * 100):3d}%" if begun else "", "accent"),
        Cell(f"{fmt.amount(line.done_files)}/{fmt.amount(line.files)}" if begun else fmt.amount(line.files)),
        Cell(fmt.size(line.bytes) if line.files else ""),
        Cell(fmt.short_rate(snapshot.fileset_rates.get(line.id, 0.0))),
        Cell(fmt.span(remaining(snapshot, line)) if line.active else ""),
    )
