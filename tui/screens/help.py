"""All commands with their keys, found by typing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.commands import ALL, COMMANDS, GROUPS, PANES, Command, Keymap
from tui.keymap import label
from tui.screens.dialog import Dialog


class HelpScreen(Dialog[None]):
    """Show the commands by group; what is typed leaves those that have it as a key or in their words."""

    DEFAULT_CSS = """
    HelpScreen #box, HelpScreen.-tall #box { max-width: 110; height: 100%; padding: 0 1; }
    HelpScreen #commands { height: 1fr; }
    """
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "scroll('scroll_down')", show=False),
        Binding("up", "scroll('scroll_up')", show=False),
        Binding("pagedown", "scroll('scroll_page_down')", show=False),
        Binding("pageup", "scroll('scroll_page_up')", show=False),
        Binding("ctrl+home", "scroll('scroll_home')", show=False),
        Binding("ctrl+end", "scroll('scroll_end')", show=False),
    ]

    def __init__(self, keymap: Keymap) -> None:
        super().__init__("Help")
        self._keymap = keymap

    def body(self) -> Iterator[Widget]:
        """Yield the field for the search, and the commands."""
        yield Input(placeholder="type to search; Esc closes", compact=True)
        with VerticalScroll(id="commands", can_focus=False):
            yield Static()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the commands that fit what was typed."""
        event.stop()
        self._show()
        self.query_one("#commands").scroll_home(animate=False)

    def on_resize(self) -> None:
        """Set the commands in columns that have room."""
        self._show()

    def action_scroll(self, how: str) -> None:
        """Scroll the commands while the search has the focus."""
        getattr(self.query_one("#commands"), how)(animate=False)

    def _show(self) -> None:
        search = self.query_one(Input).value.strip()
        self.query_one("#commands Static", Static).update(self._table(search))

    def _table(self, search: str) -> Table | Text:
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        for _ in range(1 if self._narrow else 2):
            table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        table.add_column(no_wrap=True, justify="right")
        for group in GROUPS:
            found = [command for command in COMMANDS if command.group == group and self._fits(command, search)]
            if found:
                table.add_row(Text(group, "bold underline"), *[""] * (len(table.columns) - 2), Text("panes", "dim"))
            for command in found:
                table.add_row(*self._row(command))
        return table if table.row_count else Text("No command is like that.")

    def _row(self, command: Command) -> list[Text]:
        keys, title, about = Text(self._keys(command), "bold"), Text(command.title, "bold"), Text(command.help)
        words = [Text("  ").join([title, about])] if self._narrow else [title, about]
        return [keys, *words, Text(_numbers(command), "dim")]

    @property
    def _narrow(self) -> bool:
        return self.app.size.width < 100

    def _keys(self, command: Command) -> str:
        return " ".join(map(label, self._keymap[command.id]))

    def _fits(self, command: Command, search: str) -> bool:
        text = " ".join([command.title, command.words, command.help, *command.panes]).lower()
        return search.lower() in text or search in (*self._keymap[command.id], *self._keys(command).split())


def _numbers(command: Command) -> str:
    return (
        "all" if command.panes == ALL else "".join(f"{n}" for n, pane in enumerate(PANES, 1) if pane in command.panes)
    )
