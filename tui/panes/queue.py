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
    Column("name", "fileset", 16, grow=True, tail=9),
    Column("product", "product", 16, rank=6, tail=7),
    Column("state", "state", 11),
    Column("priority", "prio", 4, "right", rank=7),
    Column("progress", "progress", 14, rank=1),
    Column("files", "files", 11, "right", rank=5),
    Column("size", "size", 8, "right", rank=4),
    Column("rate", "B/s", 6, "right", rank=3),
    Column("eta", "eta", 6, "right", rank=2),
)
SORTS = ("turn", "name", "product", "size", "registered", "state")
BAR = 9

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
_TROUBLES = {
    Trouble.FAILED: Mark("x", states.TROUBLES[Trouble.FAILED], "warn"),
    Trouble.QUARANTINED: Mark("x", states.TROUBLES[Trouble.QUARANTINED], "bad"),
}


def mark(line: QueueLine) -> Mark:
    """Return where a fileset stands."""
    state = FilesetState(line.state)
    if state in {FilesetState.HELD, FilesetState.PUBLISHED}:
        return _MARKS[state]
    trouble = _TROUBLES.get(Trouble(line.trouble))
    if state is FilesetState.TRANSFERRING and not line.active and not trouble:
        return _WAITING
    return trouble or _MARKS.get(state) or Mark(".", str(state), "dim")


def share(line: QueueLine) -> float:
    """Return how much of a fileset's bytes is there, from 0 to 1."""
    return line.done_bytes / line.bytes if line.bytes else 0.0


def remaining(snapshot: Snapshot, line: QueueLine) -> float | None:
    """Return the seconds until a fileset under way is complete, at its present rate."""
    return fmt.eta(line.bytes - line.done_bytes, snapshot.fileset_rates.get(line.id, 0.0))


def row(snapshot: Snapshot, line: QueueLine) -> Row:
    """Return the cells of one fileset."""
    found = mark(line)
    begun = line.done_bytes > 0 or line.state == FilesetState.TRANSFERRING
    done = share(line)
    return (
        Cell(display(line.name)),
        Cell(display(line.product), "dim"),
        Cell(str(found), found.style),
        Cell(f"{line.priority:+d}" if line.priority else ""),
        Cell(f"{fmt.bar(done, BAR)} {int(done * 100):3d}%" if begun else "", "accent"),
        Cell(f"{fmt.amount(line.done_files)}/{fmt.amount(line.files)}" if begun else fmt.amount(line.files)),
        Cell(fmt.size(line.bytes) if line.files else ""),
        Cell(fmt.short_rate(snapshot.fileset_rates.get(line.id, 0.0))),
        Cell(fmt.span(remaining(snapshot, line)) if line.active else ""),
    )
