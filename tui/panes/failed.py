"""What failed or is in quarantine: what, why, how often, and when it is tried again."""

from __future__ import annotations

from core.store.screens import FailureLine
from core.text import display
from tui import format as fmt
from tui.snapshot import Snapshot
from tui.widgets.table import Cell, Column, Row

COLUMNS = (
    Column("kind", "kind", 10),
    Column("what", "what", 28, tail=13),
    Column("detail", "why", 16, grow=True, rank=0),
    Column("tries", "tries", 5, "right", rank=2),
    Column("next", "next try", 10, "right", rank=1),
)
SORTS = ("kind", "what", "tries", "next")
QUARANTINE = "quarantine"


def what(line: FailureLine) -> str:
    """Return what failed, as exactly as it is known: the file of a fileset, else the fileset, else the product."""
    parts = [part for part in (line.fileset, line.file) if part]
    return display("/".join(parts) or line.product or line.mirror)


def keys(snapshot: Snapshot, sort: str, reverse: bool, like: str) -> list[str]:
    """Return the keys of the failures to show, in order."""
    shown = [line for line in snapshot.failures if _fits(line, like)]
    if sort != "kind":
        shown.sort(key=lambda line: _rank(line, sort), reverse=sort == "tries")
    if reverse:
        shown.reverse()
    return [line.key for line in shown]


def _fits(line: FailureLine, like: str) -> bool:
    text = f"{line.kind} {line.whole} {line.file or ''} {line.detail}".casefold()
    return not like or (like.removeprefix("!").casefold() in text) != like.startswith("!")


def _rank(line: FailureLine, sort: str) -> tuple[float, str]:
    number = {"tries": float(line.attempts), "next": float("inf") if line.next_try is None else line.next_try}
    return number.get(sort, 0.0), what(line)


def row(snapshot: Snapshot, line: FailureLine) -> Row:
    """Return the cells of one failure."""
    next_try = QUARANTINE if line.quarantined else _due(line.next_try, snapshot.at)
    return (
        Cell(display(line.kind), "bad" if line.quarantined else "warn"),
        Cell(what(line)),
        Cell(display(line.detail)),
        Cell(fmt.amount(line.attempts)),
        Cell(next_try, "bad" if line.quarantined else ""),
    )


def _due(next_try: float | None, now: float) -> str:
    if next_try is None:
        return fmt.UNKNOWN
    return f"in {fmt.span(next_try - now)}" if next_try > now else "now"
