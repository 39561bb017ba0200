"""The keys in force: those of the table, with an operator's own in their place."""

from __future__ import annotations

from typing import ClassVar

import pytest
from textual.binding import BindingType
from textual.screen import Screen

from core.errors import ConfigError
from tests.tui.screens.host import Host
from tui.commands import COMMANDS, by_id
from tui.keymap import bindings, effective_keys, gives_way, label


def refusal(user: dict[str, list[str]]) -> str:
    """Return what the operator is told about this keymap."""
    with pytest.raises(ConfigError) as caught:
        effective_keys(user)
    return str(caught.value)


def test_without_changes_it_is_the_table() -> None:
    assert effective_keys({}) == {command.id: command.keys for command in COMMANDS}


def test_own_keys_take_the_place_of_those_of_the_table() -> None:
    keymap = effective_keys({"retry": ["t", "f5", "t"], "cancel": ["r"]})
    assert keymap["retry"] == ("t", "f5")
    assert keymap["cancel"] == ("r",)
    assert keymap["hold"] == ("h",)


@pytest.mark.parametrize(
    ("written", "key"),
    [("question_mark", "?"), ("?", "?"), ("minus", "-"), ("slash", "/"), ("comma", ","), (",", ","), (" ", "space"),
     ("space", "space"), ("ö", "ö"), ("+", "+"), ("ctrl+r", "ctrl+r"), ("f12", "f12")],
)  # fmt: skip
def test_keys_may_be_written_as_character_or_name(written: str, key: str) -> None:
    free = {"help": ["f1"], "lower": ["f2"], "filter": ["f3"], "mark": ["f4"], "raise": ["f6"]}
    assert effective_keys(free | {"redraw": [written]})["redraw"] == (key,)


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ({"retri": ["t"]}, '[dashboard] keys: "retri": expected the name of a command; is "retry" meant?'),
        ({"\x1b[m": ["t"]}, '"\\x1b[m": expected the name of a command such as "retry"; docs/keys.md lists them'),
        ({"retry": []}, "[dashboard] keys: retry: expected at least one key, got none"),
        ({"retry": ["F55"]}, 'retry: expected a key such as "x", "?", "f5" or "ctrl+r", got "F55"'),
        ({"retry": [""]}, 'got ""'),
        ({"retry": ["\x07"]}, 'got "\\x07"'),
        ({"retry": ["shift+r"]}, 'got "shift+r"'),
        ({"retry": ["ctrl+s"]}, 'retry: expected a key that every terminal hands on, got "ctrl+s"'),
        ({"retry": ["alt+x"]}, 'retry: expected a key that every terminal hands on, got "alt+x"'),
        ({"retry": ["down"]}, "retry: expected a key that lists don't need themselves, got \"down\""),
        ({"retry": ["enter"], "details": ["d"]}, "retry: expected a key that lists don't need themselves"),
        ({"retry": ["x"]}, 'expected one command for "x" in queue and failed and details, got retry and cancel'),
        ({"retry": ["q"]}, 'expected one command for "q" in products and queue and failed and details, got'),
        ({"help": ["q"]}, 'expected one command for "q", got help and quit'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_was_expected(user: dict[str, list[str]], told: str) -> None:
    assert told in refusal(user)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert len(refusal({"retry": [], "bogus": ["x"], "hold": ["alt+h", "ctrl+q"]}).splitlines()) == 4


def test_one_key_may_mean_two_things_in_panes_apart() -> None:
    keymap = effective_keys({"follow": ["A"]})
    follow, accept = by_id("follow"), by_id("accept")
    assert gives_way(keymap, follow, "failed")
    assert gives_way(keymap, accept, "log")
    assert not gives_way(keymap, follow, "log")
    assert not gives_way(keymap, follow, "queue"), "nobody else answers there, so it says why it can't"


@pytest.mark.parametrize(
    ("key", "shown"),
    [("ctrl+p", "^p"), ("space", "Space"), ("escape", "Esc"), ("f5", "F5"), ("?", "?"), ("G", "G"), ("up", "↑")],
)
def test_keys_are_shown_short(key: str, shown: str) -> None:
    assert label(key) == shown


class Bare(Screen[None], inherit_bindings=False):
    """A screen that leaves all keys to the app."""


async def test_every_key_gives_its_command() -> None:
    keymap = effective_keys({"redraw": [",", "f5"]})

    class Keyed(Host[None], inherit_bindings=False):
        BINDINGS: ClassVar[list[BindingType]] = [*bindings(keymap)]

        def get_default_screen(self) -> Bare:
            return Bare()

    app = Keyed()
    async with app.run_test() as pilot:
        await pilot.press(*(key for keys in keymap.values() for key in keys))
        await pilot.pause()
        assert app.given == [id for id, keys in keymap.items() for _ in keys]
