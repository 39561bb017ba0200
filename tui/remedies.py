"""What to do about what failed: in the first run, and in the dashboard, in the same words."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import FailureKind

ASK = "Ask whoever runs the source."
_UP = "Is the URL right, and the server up?"
_ROOT = "Is the URL the root of a Data Store? Its index.txt is what is read."
_ADVICE: Mapping[FailureKind, str] = {
    FailureKind.DENIED: "Name the user and the variable of the password, or that of the token.",
    FailureKind.MISSING: _ROOT,
    FailureKind.MALFORMED: _ROOT,
    FailureKind.TLS: "Is it the right host? A private authority is named by ca_file; an expired one is renewed there.",
    FailureKind.UNSAFE: "The server leads to a place that is not followed. Ask whoever runs it.",
    FailureKind.DISK: "Make room on that disk, or bring it back.",
}
"""What to see to when a source can't be read, or its mirror is stopped."""

_AT_FIRST: Mapping[FailureKind, str] = {
    FailureKind.DENIED: "Esc goes back to them.",
    FailureKind.MISSING: "Esc goes back to it.",
    FailureKind.MALFORMED: "Esc goes back to it.",
    FailureKind.TLS: "That takes a file of your own.",
    FailureKind.UNSAFE: "Esc goes back to the URL.",
    FailureKind.DISK: "It holds the temporary files; r reads again.",
}
"""What goes on from there in the first run."""

_FIXED_UPSTREAM = frozenset({FailureKind.UNSAFE, FailureKind.CONFLICT})


def at_first(kind: FailureKind) -> str:
    """Say what to do when the root index can't be read in the first run."""
    return f"{_advice(kind, _UP)} {_AT_FIRST.get(kind, 'r reads again, Esc goes back to the URL.')}"


def of_stop(kind: str | None) -> str:
    """Say what to do about a mirror that the engine has stopped."""
    advice = _advice(kind, ASK)
    if kind == FailureKind.DISK:
        return f"{advice} It goes on by itself in some seconds, with p at once."
    return f"{advice} It is looked at again every 15 min, with p at once; the engine reads its file when it starts."


def of_source(kind: str | None) -> str:
    """Say what to do about a source whose root index can't be read."""
    return f"{_advice(kind, _UP)} It is read again by itself, with u at once."


def of_list(kind: str | None) -> str:
    """Say what to do about a product that can't be listed, though its source can."""
    gone = kind in {FailureKind.MISSING, FailureKind.MALFORMED}
    return f"{ASK} It is read again by itself, with u at once." if gone else of_source(kind)


def of_alarm() -> str:
    """Say what to do about a source that lists nothing where something was."""
    return f"{ASK} What it lists again is taken up by itself, with u at once."


def of_failures(kind: str, quarantined: bool) -> str:
    """Say what to do about files and filesets that failed; `quarantined`: they are not tried again by themselves."""
    if kind == FailureKind.DAMAGED:
        return "r fetches again what is damaged."
    if kind in _FIXED_UPSTREAM:
        return f"{ASK} What it has mended is fetched by itself, with r at once."
    if not quarantined:
        return "It is tried again by itself, with r at once."
    if kind == FailureKind.INTEGRITY:
        return f"{ASK} r fetches again; A in 3 Failed takes what came for right."
    return f"{ASK} r tries again."


def _advice(kind: str | None, otherwise: str) -> str:
    return next((advice for known, advice in _ADVICE.items() if known == kind), otherwise)
