"""The page beside the lists: its lines, and what it tells of that which has no page of its own."""

from __future__ import annotations

from collections.abc import Sequence

from core.store.screens import EventLine, FailureGroup, FailureLine, MirrorLine
from core.store.screens.failed import LIMIT
from core.text import display
from core.units import counted
from tui import format as fmt
from tui import remedies
from tui.panes import due, failed, log, products
from tui.snapshot import Snapshot
from tui.widgets.prose import BOUND, Piece

LABEL = 11

Line = Sequence[Piece]


def fact(label: str, words: str, style: str = "") -> Line:
    """Return one line: a label, and what there is to say."""
    return [(f"{label:<{LABEL}}", "dim"), (words, style)]


def heading(name: str, state: str, style: str) -> Line:
    """Return the first line of a page: what it is about, and how that stands, of which the glyph stays at its word."""
    return [(name, "bold"), ("  ", ""), (state.replace(" ", BOUND), style)]


def trouble(snapshot: Snapshot) -> list[Line]:
    """Return why nothing is known, in full."""
    return [[(snapshot.trouble, "bad")]] if snapshot.trouble else nothing()


def nothing() -> list[Line]:
    """Return what is shown when the cursor is on nothing."""
    return [[("Put the cursor on a product, a fileset or a failure.", "dim")]]


def mirror_text(mirror: MirrorLine, now: float) -> list[Line]:
    """Tell of a mirror of which no product is mirrored."""
    found = products.mirror_mark(mirror)
    lines: list[Line] = [heading(display(mirror.name), str(found), found.style)]
    why = products.mirror_reason(mirror)
    lines.append(fact("why", display(why, 1000), found.style))
    if mirror.error and mirror.error != why:
        lines.append(fact("error", display(mirror.error, 1000), "bad"))
    lines += [
        fact("source", display(mirror.url)),
        fact("into", display(mirror.destination)),
        fact("polled", fmt.ago(mirror.polled_at, now)),
        fact("then", _then(mirror)),
    ]
    return lines


def _then(mirror: MirrorLine) -> str:
    """Say what to do about a mirror of which no product is mirrored."""
    if mirror.stopped:
        return remedies.of_stop(mirror.stopped_kind)
    return "p resumes it" if mirror.paused else remedies.of_source(mirror.error_kind)


def failure_text(line: FailureLine) -> list[Line]:
    """Tell of a row of a catalogue that was refused, and never became a fileset."""
    return [
        heading(failed.what(line), f"x {display(line.kind)}", "bad"),
        fact("mirror", display(line.mirror)),
        fact("product", display(line.product or fmt.UNKNOWN)),
        fact("why", display(line.detail, 1000), "bad"),
        fact("then", "the rest of the catalogue was mirrored; tell the source. r has the list read again"),
    ]


def group_text(snapshot: Snapshot, group: FailureGroup, *, opened: bool) -> list[Line]:
    """Tell of the failures of one kind in one product."""
    style = "bad" if group.quarantined else "warn"
    others = group.failures - group.same
    where = f" in {counted(group.filesets, 'fileset')}" if group.filesets else ""
    lines: list[Line] = [
        heading(display(group.product or group.mirror), f"x {display(group.kind)}", style),
        fact("mirror", display(group.mirror)),
        fact("failed", f"{failed.number(group)}{where}", style),
        fact("why", display(group.detail, 1000), style),
    ]
    if others:
        words = f"{fmt.amount(group.same)} of them" if group.same > 1 else "one of them"
        lines.append(fact("", f"so says {words}; the others say something else", "dim"))
    lines.append(fact("tries", failed.tries(group)))
    if group.quarantined:
        lines.append(fact("quarantine", f"{fmt.amount(group.quarantined)} wait for an operator", "bad"))
    if group.next_try is not None:
        lines.append(fact("next try", due.in_full(snapshot, group)))
    verb = "closes" if opened else "opens"
    lines.append(fact("then", remedies.of_failures(group.kind, group.quarantined > 0)))
    lines.append(fact("list", f"Enter {verb} the list in 3 Failed"))
    if opened and group.failures > LIMIT:
        lines.append(fact("listed", f"the first {fmt.amount(LIMIT)}; / finds others", "dim"))
    return lines


def event_text(line: EventLine, now: float) -> list[Line]:
    """Tell an event in full."""
    return [
        [(fmt.moment(line.at, now), "dim"), (f"  {line.level}", log.STYLES.get(line.level, ""))],
        *([fact("where", log.where(line))] if log.where(line) else []),
        [(display(line.message, 4000), "")],
    ]
