"""The table of commands as such."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tui.commands import ALL, COMMANDS, GROUPS, by_id, confirm_needed

KEYS = {
    "j": "down", "k": "up", "g": "first", "G": "last", "1": "go_products", "2": "go_queue", "3": "go_failed",
    "4": "go_details", "5": "go_log", "tab": "next_pane", "shift+tab": "previous_pane", "enter": "details",
    "escape": "back", "space": "mark", "*": "mark_all", "a": "now", "p": "pause", "P": "pause_all", "x": "cancel",
    "h": "hold", "r": "retry", "R": "retry_all", "J": "move_down", "K": "move_up", "+": "raise", "-": "lower",
    "/": "filter", "!": "problems", "s": "sort", "S": "reverse", "z": "freeze", "F": "follow", "y": "copy",
    "L": "limits", "u": "poll", "v": "verify", "m": "mirror", "A": "accept", "n": "available", ":": "palette",
    "ctrl+p": "palette", "?": "help", "ctrl+l": "redraw", "T": "theme", "E": "engine", "q": "quit",
}  # fmt: skip


@pytest.mark.parametrize(("key", "id"), KEYS.items())
def test_each_key_of_the_dashboard(key: str, id: str) -> None:
    assert key in by_id(id).keys


def test_names_are_unique_and_everything_is_described() -> None:
    assert len({command.id for command in COMMANDS}) == len({command.title for command in COMMANDS}) == len(COMMANDS)
    for command in COMMANDS:
        assert command.keys
        assert command.help.endswith(".")
        assert command.panes
        assert command.panes <= ALL
        assert command.group in GROUPS
        assert "[" not in command.title + command.help, "markup"


def test_the_table_needs_no_screen() -> None:
    code = "import sys, tui.commands; sys.exit(any(name.split('.')[0] in ('textual', 'rich') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SAID = {
    "integrity": "verify", "speed": "limits", "throttle": "limits", "rate": "limits", "slow": "limits",
    "detach": "quit", "exit": "quit", "stop": "quit", "kill": "quit", "remove": "mirror", "abort": "cancel",
    "skip": "hold", "unpause": "pause", "continue": "pause", "select": "mark", "unmark": "mark", "clear": "back",
    "search": "filter", "find": "filter", "refresh": "poll", "rescan": "poll", "sync": "poll", "check": "verify",
    "scrub": "verify", "ignore": "mirror", "unhold": "hold", "urgent": "now", "audit": "go_log", "color": "theme",
    "restart": "engine", "late": "problems", "lag": "sort", "worst": "sort",
}  # fmt: skip


@pytest.mark.parametrize(("said", "id"), SAID.items())
def test_commands_are_known_by_what_operators_call_them(said: str, id: str) -> None:
    assert said in by_id(id).words.split()


@pytest.mark.parametrize(
    ("id", "count", "needed"),
    [
        ("cancel", 0, None), ("cancel", 1, "ask"), ("cancel", 100, "ask"), ("cancel", 101, "type"),
        ("mirror", 1, None), ("mirror", 2, "ask"), ("mirror", 101, "type"),
        ("hold", 20, None), ("hold", 21, "ask"), ("hold", 101, "type"),
        ("now", 21, "ask"), ("accept", 101, "type"),
        ("retry", 20, None), ("retry", 21, "ask"), ("retry_all", 5000, "ask"),
        ("pause_all", 0, "ask"), ("pause_all", 5000, "ask"), ("pause", 1, None),
        ("pause", 101, "ask"), ("poll", 101, "ask"), ("verify", 20, None), ("verify", 101, "ask"),
        ("mark_all", 100_000, None), ("limits", 1, None),
    ],
)  # fmt: skip
def test_it_asks_by_blast_radius(id: str, count: int, needed: str | None) -> None:
    assert confirm_needed(by_id(id), count) == needed


def test_the_end_of_a_mirroring_is_always_asked_for() -> None:
    assert [confirm_needed(by_id("mirror"), count, always=True) for count in (1, 101)] == ["ask", "type"]
