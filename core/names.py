"""Which foreign names may become a path component below a destination."""

from __future__ import annotations

PRIVATE = ".mirrortui"
"""Our own entry in a folder; none of a mirror is called like that."""
RESERVED = frozenset({".", "..", PRIVATE, "index.txt"})
MAX_BYTES = 255
"""Longest file name on every common POSIX file system (NAME_MAX)."""


def unsafe_name(name: str) -> str | None:
    """Return why `name` must not become a path component, or None if it may."""
    if not name:
        return "the name is empty"
    if name in RESERVED:
        return f"the name {name!r} is reserved"
    if "/" in name or "\\" in name:
        return "the name contains a path separator"
    if name.startswith("-"):
        return "the name begins with '-', which commands take for an option"
    if not name.isprintable():
        return "the name contains control or unprintable characters"
    if len(name.encode("utf-8", "surrogateescape")) > MAX_BYTES:
        return f"the name is longer than {MAX_BYTES} bytes"
    return None
