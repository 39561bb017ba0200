"""The last line of the screen: what can be done here, and by which key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import ClassVar

from textual.content import Content
from textual.events import Click
from textual.style import Style
from textual.timer import Timer
from textual.widget import Widget

from tui.commands import COMMANDS, Command, Keymap, by_id
from tui.keymap import label

_ALWAYS = ("help", "palette")
HINT_SECONDS = 3.0


class FooterBar(Widget):
    """The commands of a pane, the most wanted first, as many as fit; help and palette at the right end."""

    DEFAULT_CSS = """
    FooterBar {
        height: 1;
        background: $panel;
        .footer--key { color: $text-accent; text-style: bold; }
        .footer--dim { color: $text-muted; text-style: dim; }
        .footer--warning { color: $text-warning; text-style: bold; }
        .footer--error { color: $text-error; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--dim", "footer--warning", "footer--error"}

    def __init__(self, keymap: Keymap, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._keymap = keymap
        self._shown: tuple[str, frozenset[str]] = ("", frozenset())
        self._hint = ""
        self._told: Content | None = None
        self._clears: Timer | None = None
        self._forgets: Timer | None = None

    def show(self, pane: str, unavailable: Mapping[str, str]) -> None:
        """Show the commands of `pane`; those whose id is in `unavailable` are dim."""
        shown = (pane, frozenset(unavailable))
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def hint(self, words: str) -> None:
        """Show `words` in the place of the commands, and of what was told, for some seconds."""
        if words:
            self.forget()
        if self._clears is not None:
            self._clears.stop()
        self._clears = self.set_timer(HINT_SECONDS, partial(self.hint, "")) if words else None
        if words != self._hint:
            self._hint = words
            self.refresh()

    def tell(self, words: str, severity: str, seconds: float) -> bool:
        """Show `words` in the place of the whole line, whatever key is pressed; or return False: there is no room."""
        told = Content(f" {words}")
        if told.cell_length > self.size.width:
            return False
        if self._forgets is not None:
            self._forgets.stop()
        if severity != "information":
            told = told.stylize(self.get_visual_style(f"footer--{severity}", partial=True))
        self._told = told
        self._forgets = self.set_timer(seconds, self.forget)
        self.refresh()
        return True

    def forget(self) -> None:
        """Show the commands again."""
        self._told = None
        self.refresh()

    def render(self) -> Content:
        """Return the line."""
        if self._told is not None:
            return self._told
        right = Content("  ").join(self._entry([by_id(id)]) for id in _ALWAYS)
        left = Content(f" {self._hint}") if self._hint else self._commands(right.cell_length)
        return left + " " * (self.size.width - left.cell_length - right.cell_length) + right

    def _commands(self, kept: int) -> Content:
        """Return as many commands as fit beside `kept` cells."""
        left = Content(" ")
        for entry in self._entries():
            longer = left + entry + "  "
            if longer.cell_length + kept > self.size.width:
                break
            left = longer
        return left

    async def on_click(self, event: Click) -> None:
        """Give the command under the mouse."""
        if command := event.style.meta.get("command"):
            event.stop()
            await self.app.run_action(f"command('{command}')")

    def _entries(self) -> list[Content]:
        pane, _ = self._shown
        here = [
            command for command in COMMANDS if command.footer and pane in command.panes and command.id not in _ALWAYS
        ]
        return [self._entry(list(same)) for _, same in groupby(here, key=lambda command: command.footer)]

    def _entry(self, commands: Sequence[Command]) -> Content:
        """Return the keys of `commands`, and the name that they share; a click gives the command."""
        _, unavailable = self._shown
        dim = unavailable.issuperset(command.id for command in commands)
        styles = ("footer--dim", "footer--dim") if dim else ("footer--key", None)
        key, name = (self.get_visual_style(style, partial=True) if style else Style() for style in styles)
        clicks = [Style.from_meta({"command": command.id}) for command in commands]
        keys = Content("/").join(
            Content.assemble((label(self._keymap[command.id][0]), click))
            for command, click in zip(commands, clicks, strict=True)
        )
        return keys.stylize(key) + Content.assemble((f" {commands[0].footer}", name + clicks[0]))
