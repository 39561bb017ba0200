"""Whether a terminal takes text for its clipboard (OSC 52): it never says so itself."""

from __future__ import annotations

from collections.abc import Mapping

_TERMS = ("alacritty", "contour", "foot", "wezterm", "xterm-ghostty", "xterm-kitty")
_PROGRAMS = frozenset({"ghostty", "iTerm.app", "vscode", "WezTerm"})
_OWN = frozenset({"ALACRITTY_WINDOW_ID", "KITTY_WINDOW_ID", "WEZTERM_PANE", "WT_SESSION"})
_BETWEEN = frozenset({"STY", "TMUX"})
"""Set within screen and tmux, which keep the sequence to themselves unless they are told otherwise."""


def likely_taken(environment: Mapping[str, str]) -> bool:
    """Tell whether the terminal is one that takes it by default; of the others nobody knows."""
    if _BETWEEN & environment.keys():
        return False
    known = environment.get("TERM", "").startswith(_TERMS) or environment.get("TERM_PROGRAM") in _PROGRAMS
    return known or bool(_OWN & environment.keys())
