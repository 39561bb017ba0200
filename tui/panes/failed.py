"""What failed or is in quarantine: what, why, how often, and when it is tried again.

Failures of one kind in one product are one line, a group, as soon as they are many; opened, its failures follow it.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain

from core.errors import FailureKind
from core.store.screens import FailureGroup, FailureLine
from core.text import display
from core.units import counted
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
CLOSED, OPENED, INSIDE = "+ ", "- ", "  "
"""Before what a group is about, and before each of its failures."""

Rank = tuple[float, str]


def what(line: FailureLine) -> str:
    """Return what failed, as exactly as it is known: the file of a fileset, else the fileset, else the product."""
    parts = [part for part in (line.fileset, line.file) if part]
    return display("/".join(parts) or line.product or line.mirror)


def of_group(group: FailureGroup) -> str:
    """Return what a group is about: ``1,204 files of gpc1-raw``."""
    return f"{number(group)} of {display(group.product or group.mirror)}"


def number(group: FailureGroup) -> str:
    """Return how much of what failed: ``1,204 files``."""
    if group.kind == FailureKind.REJECTED:
        return counted(group.failures, "row")
    if group.files in {0, group.failures}:
        return counted(group.failures, "file" if group.files else "fileset")
    return counted(group.failures, "failure")


def keys(snapshot: Snapshot, sort: str, reverse: bool, opened: Collection[str]) -> list[str]:
    """Return the keys of the groups and failures to show, in order."""
    inside: dict[str, list[FailureLine]] = {}
    for line in snapshot.failures:
        inside.setdefault(line.group, []).append(line)
    blocks: list[tuple[Rank, list[str]]] = []
    for group in snapshot.groups:
        lines = _sorted(inside.get(group.key, []), sort)
        if group.many:
            blocks.append(
                (_rank_of_group(group, sort), [group.key, *(line.key for line in lines if group.key in opened)])
            )
        else:
            blocks += [(_rank(line, sort), [line.key]) for line in lines]
    if sort != "kind":
        blocks.sort(key=lambda block: block[0], reverse=sort == "tries")
    if reverse:
        blocks.reverse()
    return list(chain.from_iterable(found for _, found in blocks))


def _sorted(lines: list[FailureLine], sort: str) -> list[FailureLine]:
    return lines if sort == "kind" else sorted(lines, key=lambda line: _rank(line, sort), reverse=sort == "tries")


def _rank(line: FailureLine, sort: str) -> Rank:
    number = {"tries": float(line.attempts), "next": float("inf") if line.next_try is None else line.next_try}
    return number.get(sort, 0.0), what(line)


def _rank_of_group(group: FailureGroup, sort: str) -> Rank:
    next_try = float("inf") if group.next_try is None else group.next_try
    return {"tries": float(group.most_attempts), "next": next_try}.get(sort, 0.0), group.product or group.mirror


def row(snapshot: Snapshot, line: FailureLine, inside: bool) -> Row:
    """Return the cells of one failure; `inside`: below its group."""
    next_try = QUARANTINE if line.quarantined else _due(line.next_try, snapshot.at)
    return (
        Cell(display(line.kind), "bad" if line.quarantined else "warn"),
        Cell(f"{INSIDE if inside else ''}{what(line)}"),
        Cell(display(line.detail)),
        Cell(fmt.amount(line.attempts)),
        Cell(next_try, "bad" if line.quarantined else ""),
    )


def group_row(snapshot: Snapshot, group: FailureGroup, opened: bool) -> Row:
    """Return the cells of a group."""
    style = "bad" if group.quarantined else "warn"
    aside = group.quarantined == group.failures
    return (
        Cell(display(group.kind), style),
        Cell(f"{OPENED if opened else CLOSED}{of_group(group)}", "bold"),
        Cell(display(group.detail)),
        Cell(tries(group)),
        Cell(QUARANTINE if aside else _due(group.next_try, snapshot.at), "bad" if aside else ""),
    )


def tries(group: FailureGroup) -> str:
    """Return how often what failed was tried: ``1-4``."""
    least, most = fmt.amount(group.least_attempts), fmt.amount(group.most_attempts)
    return least if least == most else f"{least}-{most}"


def _due(next_try: float | None, now: float) -> str:
    if next_try is None:
        return fmt.UNKNOWN
    return f"in {fmt.span(next_try - now)}" if next_try > now else "now"
