"""Choosing the colours: the theme under the cursor is shown at once."""

from __future__ import annotations

from collections.abc import Iterator

from textual.widget import Widget
from textual.widgets import OptionList

from tui.screens.dialog import Choice, Choices, Dialog, paragraph
from tui.themes import CHOICES


class ThemeScreen(Dialog[str]):
    """Ask for a theme; while it asks, that under the cursor is in force. Esc takes the one from before."""

    AUTO_FOCUS = "Choices"
    DEFAULT_CSS = "ThemeScreen { background: transparent; }"

    def __init__(self, before: str) -> None:
        super().__init__("Theme")
        self._before = before

    def body(self) -> Iterator[Widget]:
        """Yield the themes, with the cursor on the one in force."""
        choices = Choices(*(Choice(name, letter, words) for name, letter, words in CHOICES))
        names = [name for name, _, _ in CHOICES]
        choices.highlighted = names.index(self._before) if self._before in names else None
        yield choices
        yield paragraph("Enter keeps it, also for the next start; Esc changes nothing.", "dim", id="hint")

    def choose(self, id: str) -> None:
        """Keep a theme."""
        self.app.theme = id
        self.end(id)

    def action_stay(self) -> None:
        """Take back what was tried."""
        self.app.theme = self._before
        self.end(None)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show what the theme looks like."""
        event.stop()
        if self.is_current:
            self.app.theme = CHOICES[event.option_index][0]
