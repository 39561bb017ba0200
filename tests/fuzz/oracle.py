"""What must hold for any index, however broken; written apart from the code that is tested."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from core.model import ListedFile, ListedFileset, ListedProduct, Rejection
from core.sources.ipp_parse import Level, Parser, RowT, Shape
from core.sources.spool import Limits, Spool
from core.units import format_time

INVISIBLE: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Categories of characters that a terminal does not just show."""
FOLDER = "/mirror/product"
RESERVED = frozenset({".mirrortui", "index.txt"})
AnyRow = ListedProduct | ListedFileset | ListedFile


def stays_inside(name: str) -> bool:
    """Tell whether a name leads to an entry of a folder, and of that folder only, and can be read by a person."""
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        return False
    joined = os.path.normpath(os.path.join(FOLDER, name))
    visible = not any(unicodedata.category(char) in INVISIBLE for char in name)
    return joined == f"{FOLDER}/{name}" and 0 < len(raw) < 256 and visible and name not in RESERVED


def check_index(level: Level[RowT], body: bytes, piece: int) -> list[RowT | Rejection] | None:
    """Take an index as it comes from the net, `piece` bytes at a time; return its items, or None if it is malformed.

    Raises AssertionError if a row is lost, told of at the wrong line, or accepted though it must not be.
    """
    spool = Spool(Limits(line_bytes=64 * 1024, memory_bytes=4096))
    try:
        shape = Shape(level)
        pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
        reason = next(filter(None, (spool.take(one, shape) for one in pieces)), None) or spool.finish(shape)
        if reason:
            assert_readable(reason)
            return None
        items = [item for batch in Parser(level).batches(spool.lines()) for item in batch]
    finally:
        spool.close()
    for item in items:
        _check_item(item)
    _check_complete(items, body)
    return items


def assert_readable(text: str) -> None:
    """Fail if a text could do anything to a terminal but be read."""
    assert not any(unicodedata.category(char) in INVISIBLE for char in text), ascii(text)


def _check_item(item: AnyRow | Rejection) -> None:
    if isinstance(item, Rejection):
        assert item.reason
        assert_readable(item.reason)
        assert_readable(item.name)
        return
    assert stays_inside(item.name), ascii(item.name)
    if isinstance(item, ListedFile):
        assert 0 <= item.size < 2**63
        assert item.digest is None or re.fullmatch("[0-9a-f]{32}", item.digest)
    elif item.registered is not None:
        assert len(format_time(item.registered)) == len("2026-11-21T05:04:50Z")


def _check_complete(items: Sequence[AnyRow | Rejection], body: bytes) -> None:
    """Every line with a row gave just one item, in order, but for repetitions of a file."""
    left = iter(items)
    item = next(left, None)
    accepted: set[str] = set()
    for number, line in enumerate(body.split(b"\n"), 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        name = text.split(b"|")[0].strip(b" \t").decode("utf-8", "surrogateescape")
        if isinstance(item, Rejection) and item.line == number:
            item = next(left, None)
        elif item is not None and not isinstance(item, Rejection) and item.name == name:
            accepted.add(name)
            item = next(left, None)
        else:
            assert name in accepted, f"line {number} is lost: {text[:100]!r}"
    assert item is None, f"not in the index: {item}"
