"""How products, filesets and files stand, in one word each: the same on the screen and in `status`."""

from __future__ import annotations

from enum import StrEnum

from core.model import FileState, Trouble
from core.store.queries import MirrorStatus, ProductStatus
from core.store.screens import MirrorLine, ProductLine


class ProductState(StrEnum):
    """Where a product stands."""

    AVAILABLE = "available"
    IGNORED = "ignored"
    STOPPED = "stopped"
    PAUSED = "paused"
    ALARM = "ALARM"
    UNLISTED = "unlisted"
    UNKNOWN = "unknown"
    LAG = "LAG"
    BLOCKED = "blocked"
    FAILING = "failing"
    REFUSED = "refused"
    FETCHING = "fetching"
    BEHIND = "behind"
    HELD = "held"
    CURRENT = "current"


WORST = (
    ProductState.STOPPED,
    ProductState.ALARM,
    ProductState.LAG,
    ProductState.UNLISTED,
    ProductState.BLOCKED,
    ProductState.FAILING,
    ProductState.REFUSED,
    ProductState.UNKNOWN,
    ProductState.PAUSED,
    ProductState.HELD,
    ProductState.FETCHING,
    ProductState.BEHIND,
    ProductState.CURRENT,
    ProductState.IGNORED,
    ProductState.AVAILABLE,
)
"""How bad each state is, the worst first: what an operator meant is better than what befell the mirror."""


def of_product(
    line: ProductLine | ProductStatus, mirror: MirrorLine | MirrorStatus | None, limit: float | None
) -> ProductState:
    """Return where a product of `mirror` stands, the worst first; it may lag `limit` seconds."""
    cases = (
        (not line.selected, ProductState.IGNORED if line.wish == "ignore" else ProductState.AVAILABLE),
        (mirror is not None and mirror.stopped is not None, ProductState.STOPPED),
        (line.paused is not None or (mirror is not None and mirror.paused is not None), ProductState.PAUSED),
        (line.alarm is not None, ProductState.ALARM),
        (late(line, limit), ProductState.LAG),
        (line.error is not None, ProductState.UNLISTED),
        (line.lag is None, ProductState.UNKNOWN),
        (line.counts.get("quarantined", 0) > 0, ProductState.BLOCKED),
        (line.counts.get("failed", 0) > 0, ProductState.FAILING),
        (line.refused > 0, ProductState.REFUSED),
        (line.active > 0, ProductState.FETCHING),
        (line.backlog_filesets > 0, ProductState.BEHIND),
        (line.counts.get("held", 0) > 0, ProductState.HELD),
    )
    return next((state for holds, state in cases if holds), ProductState.CURRENT)


def late(line: ProductLine | ProductStatus, limit: float | None) -> bool:
    """Tell whether a product lags more than it may."""
    return line.selected and line.lag is not None and limit is not None and line.lag > limit


TROUBLES: dict[str, str] = {Trouble.FAILED: "to retry", Trouble.QUARANTINED: "blocked"}
"""A fileset that is tried again by itself, and one that waits for an operator."""

FILES = {
    FileState.PENDING: "to fetch",
    FileState.ACTIVE: "fetching",
    FileState.PARTIAL: "begun",
    FileState.RETRY_WAIT: "waiting to retry",
    FileState.STAGED: "fetched",
    FileState.PUBLISHED: "published",
    FileState.QUARANTINED: "quarantined",
    FileState.SKIPPED: "left out",
}
"""Where files stand."""
