"""The one door through which foreign text reaches a terminal or a log."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What Python calls printable, and nobody sees: fillers, joiners, selectors of variants, the empty Braille pattern.

They are the printable part of Unicode's Default_Ignorable_Code_Point, and U+2800. Two names can differ by them alone,
and terminals disagree about their width.
"""


def display(text: object, limit: int = 300) -> str:
    """Return `text` so that it can do nothing but be read.

    Control bytes, terminal escapes, bidirectional overrides, line ends, unassigned code points, lone
    surrogates and what is invisible become visible ``\\xNN`` or ``\\uNNNN`` escapes. Text of more than
    `limit` characters is cut, with an ellipsis.
    """
    raw = str(text)
    cut = raw if len(raw) <= limit else raw[: limit - 1] + "…"
    if cut.isprintable() and (cut.isascii() or not _UNSEEN.search(cut)):
        return cut
    return "".join(char if char.isprintable() and not _UNSEEN.match(char) else _escape(char) for char in cut)


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
