"""Which keys give which commands: the table's own, with the changes of ``[dashboard] keys``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import combinations

from textual.binding import Binding
from textual.keys import REPLACED_KEYS, Keys, key_to_character

from core.errors import ConfigError
from core.units import quoted
from tui.commands import COMMANDS, PANES, Command, Keymap, by_id

OF_LISTS = ("up", "down", "left", "right", "pageup", "pagedown", "home", "end", "enter")
"""Keys that every list answers itself, before any command could."""
OF_TERMINALS = tuple(f"ctrl+{letter}" for letter in "abhijmqs")
"""Keys that screen, tmux or flow control take away, or that a terminal can't tell from others."""

_NAMES = frozenset(key.value for key in Keys if not key.value.startswith("<")) - {"ctrl-at", "return"}
_LABELS = {
    "escape": "Esc", "shift+tab": "Shift+Tab", "delete": "Del", "insert": "Ins",
    "up": "↑", "down": "↓", "left": "←", "right": "→", "pageup": "PgUp", "pagedown": "PgDn",
}  # fmt: skip


def effective_keys(user: Mapping[str, Sequence[str]]) -> Keymap:
    """Return the keys of all commands, those of `user` in the place of the table's own.

    Raises ConfigError, which lists everything that is wrong with `user`.
    """
    keymap = {command.id: command.keys for command in COMMANDS}
    troubles = []
    for id, keys in user.items():
        if id in keymap:
            taken = tuple(dict.fromkeys(map(_canonical, keys)))
            troubles += [f"{id}: {trouble}" for trouble in _troubles(by_id(id), taken)]
            keymap[id] = taken
        else:
            troubles.append(f"{quoted(id)}: expected the name of a command{_such_as(id)}")
    troubles = troubles or list(_clashes(keymap))
    if troubles:
        raise ConfigError("\n".join(f"[dashboard] keys: {trouble}" for trouble in troubles))
    return keymap


def bindings(keymap: Keymap) -> list[Binding]:
    """Return the bindings of all commands, for the app: each runs ``command('ID')``."""
    return [
        Binding(
            ",".join("comma" if key == "," else key for key in keymap[command.id]),
            f"command('{command.id}')",
            command.title,
            show=bool(command.footer),
            id=command.id,
        )
        for command in COMMANDS
    ]


def gives_way(keymap: Keymap, command: Command, pane: str) -> bool:
    """Tell whether a key of `command`, which has no meaning in `pane`, means another command there."""
    keys = set(keymap[command.id])
    return pane not in command.panes and any(
        pane in other.panes and not keys.isdisjoint(keymap[other.id]) for other in COMMANDS
    )


def label(key: str) -> str:
    """Return `key` as a screen shows it: ``^p``, ``Space``, ``F1``, ``?``."""
    if key in _LABELS:
        return _LABELS[key]
    if key.startswith("ctrl+"):
        return f"^{label(key.removeprefix('ctrl+'))}"
    return key.capitalize() if len(key) > 1 else key


def _canonical(key: str) -> str:
    """Return printable keys as their character, whichever way they are written: ``?`` for ``question_mark``."""
    if key == " ":
        return "space"
    return key if key in _NAMES else key_to_character(REPLACED_KEYS.get(key, key)) or key


def _troubles(command: Command, keys: tuple[str, ...]) -> Iterator[str]:
    if not keys:
        yield "expected at least one key, got none"
    for key in keys:
        if key in OF_TERMINALS or key.startswith("alt+"):
            yield f"expected a key that every terminal hands on, got {quoted(key)}"
        elif key in OF_LISTS and key not in command.keys:
            yield f"expected a key that lists don't need themselves, got {quoted(key)}"
        elif key not in _NAMES and not (len(key) == 1 and key.isprintable() and not key.isspace()):
            yield f'expected a key such as "x", "?", "f5" or "ctrl+r", got {quoted(key)}'


def _clashes(keymap: Keymap) -> Iterator[str]:
    for first, second in combinations(COMMANDS, 2):
        panes = [pane for pane in PANES if pane in first.panes & second.panes]
        for key in keymap[first.id] if panes else ():
            if key in keymap[second.id]:
                where = "" if len(panes) == len(PANES) else f" in {' and '.join(panes)}"
                yield f"expected one command for {quoted(key)}{where}, got {first.id} and {second.id}"


def _such_as(id: str) -> str:
    near = get_close_matches(id, [command.id for command in COMMANDS], n=1)
    return f'; is "{near[0]}" meant?' if near else ' such as "retry"; docs/keys.md lists them'
