"""What failed or is in quarantine: what, why, how often, and when it is tried again.

Failures of one kind in one product are one line, a group, as soon as they are many; opened, its failures follow it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import chain

from core.errors import FailureKind
from core.model import Trouble
from core.store.screens import FailureGroup, FailureLine
from core.text import display
from core.units import counted
from tui import format as fmt
from tui import states
from tui.panes import due
from tui.snapshot import Snapshot
from tui.widgets.table import Cell, Column, Row

COLUMNS = (
    Column("kind", "kind", 9),
    Column("product", "product", 12, rank=2, tail=5),
    Column("what", "what", 17, grow=True, tail=8),
    Column("detail", "why", 17, grow=True, most=1000),
    Column("tries", "try", 4, "right", rank=3),
    Column("next", "next try", 10, "right", rank=1),
)
SORTS = ("kind", "what", "tries", "next")
QUARANTINE = "quarantine"
TAIL = 5
"""So many last characters of a fileset's name tell it from the others of its product."""
CLOSED, OPENED, INSIDE = "+ ", "- ", "  "
"""Before what a group is about, and before each of its failures."""

Rank = tuple[float, str]


def what(line: FailureLine) -> str:
    """Return what failed, as exactly as it is known: the file of a fileset, else the fileset, else the product."""
    parts = [part for part in (line.fileset, line.file) if part]
    return display("/".join(parts) or line.product or line.mirror)


def whole(line: FailureLine) -> str:
    """Return the whole name of what failed, as questions and commands have it."""
    return display("/".join(filter(None, (line.whole, line.file))))


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


def summary(groups: Collection[FailureGroup]) -> str:
    """Return how much of what failed is tried again by itself, or waits for an operator, and of which kinds it is."""
    aside = sum(group.quarantined for group in groups)
    waiting = sum(group.failures for group in groups) - aside
    parts = ((waiting, states.TROUBLES[Trouble.FAILED]), (aside, f"in {QUARANTINE}"))
    kinds = Counter[str]()
    for group in groups:
        kinds[display(group.kind)] += group.failures
    listed = (
        ", ".join(f"{fmt.amount(number)} {words}" for number, words in some if number)
        for some in (parts, [(number, kind) for kind, number in kinds.most_common()])
    )
    return "  ".join(filter(None, listed))


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
    before = INSIDE if inside else ""
    next_try = QUARANTINE if line.quarantined else due.in_short(snapshot, line)
    return (
        Cell(_short(line.kind), "bad" if line.quarantined else "warn"),
        Cell(display(line.product or line.mirror), "dim"),
        Cell(f"{before}{what(line)}", short=f"{before}{_short_what(line)}"),
        _why(line.detail),
        Cell(fmt.amount(line.attempts)),
        Cell(next_try, "bad" if line.quarantined else ""),
    )


def group_row(snapshot: Snapshot, group: FailureGroup, opened: bool) -> Row:
    """Return the cells of a group."""
    style = "bad" if group.quarantined else "warn"
    aside = group.quarantined == group.failures
    return (
        Cell(_short(group.kind), style),
        Cell(display(group.product or group.mirror), "bold"),
        Cell(f"{OPENED if opened else CLOSED}{number(group)}", "bold"),
        _why(group.detail),
        Cell(tries(group), short=fmt.amount(group.most_attempts)),
        Cell(QUARANTINE if aside else due.in_short(snapshot, group), "bad" if aside else ""),
    )


def _short(kind: str) -> str:
    return display(kind.removeprefix("index_"))


def _short_what(line: FailureLine) -> str:
    """Write what failed so that the end of the fileset's name stays in sight, and that of the file's."""
    if line.fileset is None or line.file is None or len(line.fileset) <= TAIL:
        return what(line)
    return display(f"…{line.fileset[-TAIL:]}/{line.file}")


def _why(detail: str) -> Cell:
    return Cell(display(detail), short=display(detail.removeprefix("the server answered ")))


def tries(group: FailureGroup) -> str:
    """Return how often what failed was tried: ``1-4``."""
    least, most = fmt.amount(group.least_attempts), fmt.amount(group.most_attempts)
    return least if least == most else f"{least}-{most}"
