"""When what failed is tried again; and of what is due and not under way, for what it waits."""

from __future__ import annotations

from core.store.screens import FailureGroup, FailureLine, QueueLine
from tui import format as fmt
from tui.snapshot import Snapshot

Tried = FailureLine | FailureGroup | QueueLine
"""What has a mirror, a product, and the time of its next try."""
_TURN = ("its turn", "when it is its turn")


def in_short(snapshot: Snapshot, line: Tried) -> str:
    """Return when it is tried again, for a narrow column: ``in 4m10s``, ``host rests``."""
    if line.next_try is None:
        return fmt.UNKNOWN
    return f"in {fmt.span(line.next_try - snapshot.at)}" if line.next_try > snapshot.at else _cause(snapshot, line)[0]


def in_full(snapshot: Snapshot, line: Tried) -> str:
    """Return when it is tried again: ``07:58:02Z``, ``when it is its turn``."""
    if line.next_try is None or line.next_try > snapshot.at:
        return fmt.moment(line.next_try, snapshot.at)
    return _cause(snapshot, line)[1]


def _cause(snapshot: Snapshot, line: Tried) -> tuple[str, str]:
    """Return for what it waits that is due, in short and in full."""
    overview = snapshot.overview
    if snapshot.engine is None or overview is None:
        return "no engine", "when an engine runs"
    mirror = next((one for one in overview.mirrors if one.name == line.mirror), None)
    product = next((one for one in overview.products if (one.mirror, one.name) == (line.mirror, line.product)), None)
    cases = (
        (mirror is not None and mirror.stopped, "stopped", "when its mirror goes on"),
        ((mirror is not None and mirror.paused) or (product is not None and product.paused), "paused", "when resumed"),
        (mirror is not None and mirror.rest, "host rests", "when its host has rested"),
    )
    return next(((short, full) for holds, short, full in cases if holds), _TURN)
