"""The log of what happened, operators' commands and their results among it."""

from __future__ import annotations

from core.store.events import AUDIT
from core.store.screens import EventLine
from core.text import display
from tui import format as fmt
from tui.snapshot import Snapshot
from tui.widgets.table import Cell, Column, Row


def _columns(where: int, tail: int) -> tuple[Column, ...]:
    return (
        Column("at", "time", 9),
        Column("level", "level", 7, rank=1),
        Column("where", "where", where, rank=2, tail=tail),
        Column("message", "message", 20, grow=True, most=1000),
    )


COLUMNS, NARROW = _columns(24, 11), _columns(12, 5)
"""On a narrow screen most of a line is the message."""
STYLES = {"error": "bad", "warning": "warn", "debug": "dim", AUDIT: "good"}
PROBLEMS = frozenset({"error", "warning"})


def where(line: EventLine) -> str:
    """Return what an event is about."""
    return display("/".join(part for part in (line.mirror, line.product, line.fileset) if part))


def keys(snapshot: Snapshot, like: str, problems: bool) -> list[int]:
    """Return the ids of the events to show, oldest first."""
    return [line.id for line in snapshot.events if _fits(line, like) and (not problems or line.level in PROBLEMS)]


def _fits(line: EventLine, like: str) -> bool:
    text = f"{line.level} {where(line)} {line.message}".casefold()
    return not like or (like.removeprefix("!").casefold() in text) != like.startswith("!")


def row(line: EventLine) -> Row:
    """Return the cells of one event."""
    style = STYLES.get(line.level, "")
    return (
        Cell(fmt.clock(line.at), "dim"),
        Cell(line.level, style),
        Cell(where(line)),
        Cell(display(line.message), style),
    )
