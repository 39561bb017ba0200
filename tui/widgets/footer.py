"""The last line of the screen: what can be done here, and by which key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import ClassVar

from rich.cells import cell_len
from textual.content import Content
from textual.events import Click
from textual.style import Style
from textual.timer import Timer
from textual.widget import Widget

from tui.commands import COMMANDS, WANTED, Command, Keymap, by_id
from tui.keymap import label
from tui.widgets.columns import fit

_ALWAYS = ("help", "palette")
START = "Start"
"""The name of the one command that is shown for a while only."""
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
        self._shown: tuple[str, frozenset[str], bool, bool] = ("", frozenset(), False, False)
        self._typing = False
        self._hint = ""
        self._told: Content | None = None
        self._clears: Timer | None = None
        self._forgets: Timer | None = None

    def show(
        self,
        pane: str,
        unavailable: Mapping[str, str],
        *,
        read_only: bool = False,
        starts: bool = False,
        typing: bool = False,
    ) -> None:
        """Show the commands of `pane`; those whose id is in `unavailable` are dim.

        Those that work, and mark for it, are left out where all is `read_only`. The start of an engine comes first if
        a key `starts` one. While the operator is `typing` a filter, what ends that is all there is.
        """
        shown = (pane, frozenset(unavailable), read_only, starts)
        if (shown, typing) != (self._shown, self._typing):
            self._shown, self._typing = shown, typing
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

    def has_room(self, words: str) -> bool:
        """Tell whether `words` fit the line as they are."""
        return cell_len(words) < self.size.width

    def tell(self, words: str, severity: str, seconds: float) -> None:
        """Show `words`, shortened if need be, in the place of the whole line, whatever key is pressed."""
        told = Content(fit(f" {words}", self.size.width).rstrip())
        if self._forgets is not None:
            self._forgets.stop()
        if severity != "information":
            told = told.stylize(self.get_visual_style(f"footer--{severity}", partial=True))
        self._told = told
        self._forgets = self.set_timer(seconds, self.forget)
        self.refresh()

    def forget(self) -> None:
        """Show the commands again."""
        self._told = None
        self.refresh()

    def render(self) -> Content:
        """Return the line."""
        if self._told is not None:
            return self._told
        if self._typing:
            key = self.get_visual_style("footer--key", partial=True)
            return Content.assemble(" ", ("Enter", key), " keep  ", ("Esc", key), " clear")
        named, brief = (self._right(names_all=names_all) for names_all in (True, False))
        left = Content(f" {self._hint}") if self._hint else self._commands(brief.cell_length)
        right = named if left.cell_length + named.cell_length <= self.size.width else brief
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

    def _right(self, *, names_all: bool) -> Content:
        """Return what is always shown; where there is little room the last of it by its key alone."""
        *others, last = (by_id(id) for id in _ALWAYS)
        entries = [self._entry([one]) for one in others]
        return Content("  ").join([*entries, self._entry([last], named=names_all)])

    async def on_click(self, event: Click) -> None:
        """Give the command under the mouse."""
        if command := event.style.meta.get("command"):
            event.stop()
            await self.app.run_action(f"command('{command}')")

    def _entries(self) -> list[Content]:
        pane, _, read_only, starts = self._shown
        here = [command for command in COMMANDS if command.in_footer(pane) and command.id not in _ALWAYS]
        here = [command for command in here if not (read_only and command.group == "Work")]
        wanted = {name: place for place, name in enumerate(WANTED.get(pane, ()))}
        here.sort(key=lambda command: wanted.get(command.footer, len(wanted)))
        first = [self._entry([by_id("engine")])] if starts else []
        return first + [self._entry(list(same)) for _, same in groupby(here, key=lambda command: command.footer)]

    def _entry(self, commands: Sequence[Command], *, named: bool = True) -> Content:
        """Return the keys of `commands`, and the name that they share; a click gives the command."""
        unavailable = self._shown[1]
        dim = unavailable.issuperset(command.id for command in commands)
        styles = ("footer--dim", "footer--dim") if dim else ("footer--key", None)
        key, name = (self.get_visual_style(style, partial=True) if style else Style() for style in styles)
        clicks = [Style.from_meta({"command": command.id}) for command in commands]
        keys = Content("/").join(
            Content.assemble((label(self._keymap[command.id][0]), click))
            for command, click in zip(commands, clicks, strict=True)
        )
        words = f" {commands[0].footer or START}" if named else ""
        return keys.stylize(key) + Content.assemble((words, name + clicks[0]))
