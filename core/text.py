"""The one door through which foreign text reaches a terminal, a log or a CSV."""

from __future__ import annotations


def display(text: object, limit: int = 300) -> str:
    """Return `text` so that it can do nothing but be read.

    Control bytes, terminal escapes, bidirectional overrides, line ends, unassigned code points and
    lone surrogates become visible ``\\xNN`` or ``\\uNNNN`` escapes. Text of more than `limit`
    characters is cut, with an ellipsis.
    """
    raw = str(text)
    cut = raw if len(raw) <= limit else raw[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else _escape(char) for char in cut)


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
