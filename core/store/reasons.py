"""Why a product is not current, in words: the one cause that an operator should see to first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.text import display
from core.units import counted, format_rate, format_time

AVAILABLE = "available"
LENGTH = 120
"""Characters of a foreign text, at most: a reason is one short line."""
NEARLY = 0.9
"""From this share of a bandwidth limit on, the limit is what holds a product up: rates are measured, and swing."""


class Rest(NamedTuple):
    """A host that is left alone for a while."""

    host: str
    until: float
    reason: str


class Standing(NamedTuple):
    """What bears on the question why a product is not current; times are in seconds since the epoch."""

    selected: bool = True
    ignored: bool = False
    """By an operator's wish."""
    mirror_stopped: str | None = None
    mirror_paused: str | None = None
    """By whom: "by NAME"."""
    mirror_error: str | None = None
    paused: str | None = None
    error: str | None = None
    polled_at: float | None = None
    alarm: str | None = None
    discovered: int = 0
    """Filesets whose index is still to be read, not counting those in trouble; so are all that follow."""
    waiting: int = 0
    completing: int = 0
    """Staged, or being published."""
    failed: int = 0
    quarantined: int = 0
    refused: int = 0
    """Rows of its catalogue."""
    held: int = 0
    active: int = 0
    """Transfers under way."""
    next_try: float | None = None
    rest: Rest | None = None
    """Of the host that serves the product."""
    limit: str = ""
    """Which limit of the engine is reached, in words."""
    ahead: Sequence[str] = ()
    """Products of which something is being fetched, the busiest first."""


def why(standing: Standing) -> tuple[str, bool]:
    """Return why a product is not current, in words fit for a terminal, and whether that is because something failed.

    Empty if it is current.
    """
    if not standing.selected:
        return "ignored by an operator" if standing.ignored else AVAILABLE, False
    for reason in _REASONS:
        if words := reason(standing):
            return words, reason in _OF_FAILURES
    return "", False


def limit_reached(active: int, rate: float, transfers: int | None, bandwidth: int | None) -> str:
    """Return which limit is reached by this many transfers at this many bytes a second; empty if none is.

    `transfers` None and `bandwidth` None or 0 mean: not limited. Of both it is the bandwidth: more transfers would only
    share it.
    """
    if bandwidth and rate >= bandwidth * NEARLY:
        return f"bandwidth limit of {format_rate(bandwidth)} reached"
    if transfers is not None and active >= transfers:
        return f"limit of {counted(transfers, 'transfer')} reached"
    return ""


def _stopped(standing: Standing) -> str:
    return f"mirror stopped: {_shown(standing.mirror_stopped)}" if standing.mirror_stopped is not None else ""


def _paused(standing: Standing) -> str:
    if standing.mirror_paused is not None:
        return f"mirror paused {_shown(standing.mirror_paused)}"
    return f"paused {_shown(standing.paused)}" if standing.paused is not None else ""


def _unlisted(standing: Standing) -> str:
    if standing.error is not None:
        return f"not listed: {_shown(standing.error)}; {_last_listed(standing)}"
    if standing.mirror_error is not None:
        return f"source not listed: {_shown(standing.mirror_error)}; {_last_listed(standing)}"
    return "not listed yet" if standing.polled_at is None else ""


def _last_listed(standing: Standing) -> str:
    return f"last listed {'never' if standing.polled_at is None else format_time(standing.polled_at)}"


def _alarmed(standing: Standing) -> str:
    return f"alarm: {_shown(standing.alarm)}" if standing.alarm is not None else ""


def _blocked(standing: Standing) -> str:
    return f"blocked by {standing.quarantined:,} in quarantine" if standing.quarantined else ""


def _resting(standing: Standing) -> str:
    if standing.rest is None or not (standing.failed or standing.discovered or standing.waiting):
        return ""
    host, until, reason = standing.rest
    return f"host {_shown(host)} rests until {_clock(until)}: {_shown(reason)}"


def _retrying(standing: Standing) -> str:
    if not standing.failed:
        return ""
    then = "tried again now" if standing.next_try is None else f"next try {_clock(standing.next_try)}"
    return f"{counted(standing.failed, 'fileset')} failing, {then}"


def _limited(standing: Standing) -> str:
    return standing.limit if standing.waiting or standing.active else ""


def _transferring(standing: Standing) -> str:
    return f"transferring {counted(standing.active, 'file')}" if standing.active else ""


def _queued(standing: Standing) -> str:
    if not standing.waiting:
        return ""
    if not standing.ahead:
        return "waiting in the queue"
    others = len(standing.ahead) - 1
    more = f" and {counted(others, 'other')}" if others else ""
    return f"waiting in the queue behind {_shown(standing.ahead[0])}{more}"


def _indexing(standing: Standing) -> str:
    return f"reading indexes of {counted(standing.discovered, 'fileset')}" if standing.discovered else ""


def _completing(standing: Standing) -> str:
    return f"publishing {counted(standing.completing, 'fileset')}" if standing.completing else ""


def _refused(standing: Standing) -> str:
    return f"{counted(standing.refused, 'row')} refused, the rest is here" if standing.refused else ""


def _held(standing: Standing) -> str:
    return f"{counted(standing.held, 'fileset')} held by operators, the rest is here" if standing.held else ""


_REASONS: tuple[Callable[[Standing], str], ...] = (
    _stopped,
    _paused,
    _unlisted,
    _alarmed,
    _resting,
    _blocked,
    _retrying,
    _limited,
    _transferring,
    _queued,
    _indexing,
    _completing,
    _refused,
    _held,
)
"""The most important first."""
_OF_FAILURES = frozenset({_blocked, _retrying})


def _clock(epoch: float) -> str:
    return format_time(epoch)[-9:]


def _shown(text: str | None) -> str:
    return display(text, LENGTH)
