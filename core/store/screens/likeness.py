"""Filters as an operator types them, in SQL."""

from __future__ import annotations


def condition(like: str, text: str) -> tuple[str, str]:
    """Return SQL that begins with AND, and the pattern to bind as ``:like``; both are empty if all is wanted.

    It holds where `text`, an SQL expression, contains `like` (case of ASCII letters ignored), or, with ``!`` before
    that, does not.
    """
    wanted = like.removeprefix("!")
    if not wanted:
        return "", ""
    literal = wanted.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"AND {text} {'NOT ' if like != wanted else ''}LIKE :like ESCAPE '\\'", f"%{literal}%"
