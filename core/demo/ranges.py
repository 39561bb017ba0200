"""The Range header of HTTP, as far as a Data Store needs it."""

from __future__ import annotations

import re

_ONE_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")


def wanted(header: str | None, size: int) -> range | None:
    """Return which bytes of `size` a Range header asks for.

    None means all: there is no header, or one that a server may ignore (several ranges, another unit). An empty
    range means that the wish can't be met (416).
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last = match.groups()
    if first:
        return range(int(first), min(int(last) + 1, size) if last else size)
    return range(max(size - int(last), 0), size) if last else None
