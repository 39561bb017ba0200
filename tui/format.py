"""How figures, times and states are written on the screen: short, in a fixed width, in word and glyph before colour."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from core.units import format_bytes, format_duration

BLOCKS = "▁▂▃▄▅▆▇█"
UNKNOWN = "-"
HALF_A_DAY = 43_200.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A state as it is shown; `style` is one of the styles of table cells."""

    glyph: str
    word: str
    style: str

    def __str__(self) -> str:
        return f"{self.glyph} {self.word}"


def span(seconds: float | None) -> str:
    """Write a length of time; ``-`` if it is not known."""
    return UNKNOWN if seconds is None else format_duration(seconds)


def ago(moment: float | None, now: float) -> str:
    """Write how long ago `moment` was."""
    return "never" if moment is None else f"{span(now - moment)} ago"


def clock(moment: float) -> str:
    """Write a time of day in UTC: ``07:58:02Z``."""
    return time.strftime("%H:%M:%SZ", time.gmtime(moment))


def moment(at: float | None, now: float) -> str:
    """Write a point in time: its time of day if it is within half a day of `now`, else its date as well."""
    if at is None:
        return UNKNOWN
    return clock(at) if abs(at - now) < HALF_A_DAY else time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(at))


def amount(number: int) -> str:
    """Write a count with separators."""
    return f"{number:,}"


def size(count: int) -> str:
    """Write a number of bytes: ``812 GB``."""
    return format_bytes(count)


def at_least(number: int, unread: int) -> str:
    """Write a size, which is more than that if something has not been read."""
    return f"{size(number)}+" if unread else size(number)


def rate(bytes_per_second: float) -> str:
    """Write a rate; nothing for none."""
    return f"{format_bytes(round(bytes_per_second))}/s" if bytes_per_second >= 1 else ""


def short_rate(bytes_per_second: float) -> str:
    """Write a rate for a narrow column that is headed B/s: ``84.2M``; nothing for none."""
    return format_bytes(round(bytes_per_second)).removesuffix("B").replace(" ", "") if bytes_per_second >= 1 else ""


def eta(left: int, bytes_per_second: float) -> float | None:
    """Return the seconds until `left` bytes have come; None if that can't be told."""
    if not left:
        return 0.0
    return left / bytes_per_second if bytes_per_second >= 1 else None


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw values as at most `width` blocks, the highest one full; what was nothing is the lowest block."""
    shown = condensed(values, width)
    top = max(shown, default=0.0)
    if top <= 0:
        return BLOCKS[0] * len(shown)
    return "".join(BLOCKS[min(len(BLOCKS) - 1, int(value / top * len(BLOCKS)))] for value in shown)


def condensed(values: Sequence[float], width: int) -> list[float]:
    """Return as many values, or, of more than `width`, the means of `width` parts of them."""
    many = len(values)
    if many <= width:
        return list(values)
    return [fmean(values[at * many // width : (at + 1) * many // width]) for at in range(width)]


def bar(share: float, width: int) -> str:
    """Draw how much of the whole is done."""
    full = min(width, max(0, int(share * width)))
    return "█" * full + "░" * (width - full)
