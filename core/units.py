"""Sizes, rates, durations and times: read from a configuration, written for people.

Every parse function takes what TOML may hold (text or a number) and raises ValueError, whose text says
what was expected, with an example. Sizes are in bytes, durations in seconds, times in seconds since the epoch.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import humanize

from core.text import display

MINUTE, HOUR, DAY = 60, 3600, 86400
MAX_BYTES = 2**63 - 1
"""The largest size that the state file can hold."""
MAX_SECONDS = 36_500 * DAY

_NUMBER = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)")
_FACTORS = {
    "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50,
}  # fmt: skip
"""Spelt exactly, for ``Mb`` is a megabit."""
_PREFIXES = "kKMGTP"
_PART = r"(?:([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*%s)?"
_DURATION = re.compile(r"\s*".join(_PART % unit for unit in "dhms"))
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True, slots=True)
class Space:
    """An amount of disk: a share of the whole in percent, or a number of bytes; the other one is None."""

    percent: float | None = None
    bytes: int | None = None

    def of(self, total: int) -> int:
        """Return the amount in bytes on a disk that holds `total` bytes."""
        if self.percent is not None:
            return round(total * self.percent / 100)
        return self.bytes or 0

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.percent is not None else format_bytes(self.bytes or 0)


def parse_bytes(value: object) -> int:
    """Return the size that `value` means: ``"50 MB"``, ``"1.5 GiB"``, ``"0"``, or a number of bytes."""
    size = _size(value)
    if size is None:
        raise ValueError(f'expected a size such as "50 MB" or "1.5 GiB", got {quoted(value)}')
    return size


def parse_rate(value: object) -> int:
    """Return the bytes a second that `value` means: ``"50 MB/s"``, ``"50 MB"``, ``"50M"``, ``"0"``, or a number."""
    text = value.strip().removesuffix("/s") if isinstance(value, str) else value
    if isinstance(text, str) and text.endswith(tuple(_PREFIXES)):
        text += "B"
    rate = _size(text)
    if rate is None:
        raise ValueError(f'expected a rate such as "50 MB/s", or "0", got {quoted(value)}')
    return rate


def parse_duration(value: object) -> float:
    """Return the seconds that `value` means: ``"15m"``, ``"1h30m"``, ``"0.5s"``, ``"1d"``, or a number of seconds."""
    seconds = _seconds(value)
    if seconds is None or not 0 <= seconds <= MAX_SECONDS:
        raise ValueError(f'expected a duration such as "15m" or "1h30m", got {quoted(value)}')
    return seconds


def parse_space(value: object) -> Space:
    """Return the amount of disk that `value` means: ``"5%"``, ``"20 GB"``, a number of bytes, or a Space."""
    if isinstance(value, Space):
        return value
    if isinstance(value, str) and value.strip().endswith("%"):
        number = _NUMBER.fullmatch(value.strip()[:-1].strip())
        if number and not number[2] and float(number[1]) <= 100:
            return Space(percent=float(number[1]))
    elif (size := _size(value)) is not None:
        return Space(bytes=size)
    raise ValueError(f'expected a share of the disk such as "5%", or a size such as "20 GB", got {quoted(value)}')


def parse_share(value: object) -> float:
    """Return the part of a whole that `value` means: 0.05 for ``"5%"``."""
    number = _NUMBER.fullmatch(value.strip()[:-1].strip()) if isinstance(value, str) and "%" in value[-1:] else None
    if number and not number[2] and 0 < float(number[1]) <= 100:
        return float(number[1]) / 100
    raise ValueError(f'expected a share such as "5%", got {quoted(value)}')


def parse_time(text: str) -> int:
    """Return the epoch second that ``YYYY-MM-DDThh:mm:ssZ`` means."""
    try:
        if _TIME.fullmatch(text):
            return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        pass
    raise ValueError(f'expected a UTC time such as "2026-11-21T07:58:02Z", got {quoted(text)}')


def format_bytes(size: int) -> str:
    """Return `size` in decimal units: ``"512 B"``, ``"83.0 MB"``."""
    return f"{size} B" if abs(size) < 1000 else humanize.naturalsize(size)


def format_room(free: int, spare: int) -> str:
    """Return how much of a disk is free, of which `spare` bytes are not for filesets."""
    return f"{format_bytes(max(0, free))} free, min_free keeps {format_bytes(spare)}"


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: ``"1 file"``, ``"2,000 files"``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def format_rate(bytes_per_second: float) -> str:
    """Return a rate in decimal units: ``"83.0 MB/s"``."""
    return f"{format_bytes(round(bytes_per_second))}/s"


def format_duration(seconds: float) -> str:
    """Return `seconds` by its two largest units: ``"45s"``, ``"3m05s"``, ``"6h12m"``, ``"3d04h"``; less than 0 is 0."""
    whole = max(0, int(seconds))
    for large, small, names in ((DAY, HOUR, "dh"), (HOUR, MINUTE, "hm"), (MINUTE, 1, "ms")):
        if whole >= large:
            return f"{whole // large}{names[0]}{whole % large // small:02d}{names[1]}"
    return f"{whole}s"


def format_time(epoch: float) -> str:
    """Return the UTC time of `epoch`, to the second: ``"2026-11-21T07:58:02Z"``."""
    return datetime.fromtimestamp(math.floor(epoch), UTC).replace(tzinfo=None).isoformat() + "Z"


def format_minute(epoch: float) -> str:
    """Return the UTC time of day of `epoch`, to the minute that has begun by then: ``"07:59Z"``."""
    return f"{format_time(math.ceil(epoch / MINUTE) * MINUTE)[-9:-4]}Z"


def stamp(epoch: float) -> str:
    """Return the UTC time of `epoch`, as part of a file's name: ``"20261121T075802Z"``."""
    return format_time(epoch).replace("-", "").replace(":", "")


def quoted(value: object) -> str:
    """Return what a person wrote, fit for a message: text in quotes, all else as TOML would show it."""
    if isinstance(value, str):
        return f'"{display(value)}"'
    return str(value).lower() if isinstance(value, bool) else display(value)


def _size(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= MAX_BYTES else None
    match = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    number, unit = match.groups()
    factor = _FACTORS.get(unit, 1 if number == "0" and not unit else None)
    size = None if factor is None else round(Decimal(number) * factor)
    return size if size is not None and size <= MAX_BYTES else None


def _seconds(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if abs(value) <= MAX_SECONDS else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    match = _DURATION.fullmatch(text)
    if match and any(match.groups()):
        return sum(float(part or 0) * unit for part, unit in zip(match.groups(), (DAY, HOUR, MINUTE, 1), strict=True))
    return 0.0 if text == "0" else None
