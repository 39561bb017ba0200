"""A tiny app that asks one question, and reading what stands on its screen."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from textual.app import App
from textual.screen import Screen

from tui.commands import Command, Keymap
from tui.keymap import effective_keys

ResultT = TypeVar("ResultT")

SIZES = [(40, 10), (80, 24), (120, 40)]
HOSTILE = ["[/x]", "[@click=app.quit]", "\x1b]52;c;aGk=\x07", "a\u202eb"]
SHOWN = ["[/x]", "[@click=app.quit]", "\\x1b]52;c;aGk=\\x07", "a\\u202eb"]


class Host(App[None], Generic[ResultT]):
    """Shows `screen`; keeps the answers, and the commands that were given."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, screen: Screen[ResultT] | None = None, unavailable: dict[str, str] | None = None) -> None:
        super().__init__()
        self.asked = screen
        self.answers: list[ResultT | None] = []
        self.given: list[str] = []
        self.reasons = unavailable or {}

    def on_mount(self) -> None:
        if self.asked is not None:
            self.push_screen(self.asked, self.answers.append)

    @property
    def keymap(self) -> Keymap:
        return effective_keys({})

    def unavailable(self, command: Command) -> str | None:
        return self.reasons.get(command.id)

    def action_command(self, id: str) -> None:
        self.given.append(id)


def lines(app: App[Any]) -> list[str]:
    """Return the lines of the screen as text."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


def text(app: App[Any]) -> str:
    """Return all that stands on the screen."""
    return "\n".join(line.rstrip() for line in lines(app))
