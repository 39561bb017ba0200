"""The question before much is hit: by name, and with the safe answer first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from core.units import quoted
from tui.screens.dialog import Choice, Choices, Dialog, literal, paragraph

NAMED = 100
"""How many names are listed, at most."""


class ConfirmScreen(Dialog[bool]):
    """Ask whether `lines`, the names of what is hit, shall be hit; True only if the operator says so.

    There are `more` names than `lines`; `consequence` is one short sentence. With `type_to_confirm` no single key is
    enough: the operator types that word.
    """

    AUTO_FOCUS = "Choices, Input"

    def __init__(
        self, title: str, lines: Sequence[str], consequence: str, type_to_confirm: str | None = None, more: int = 0
    ) -> None:
        super().__init__(title)
        self._lines = lines
        self._consequence = consequence
        self._word = type_to_confirm
        self._more = max(0, len(lines) - NAMED) + more

    def body(self) -> Iterator[Widget]:
        """Yield the names, the consequence, and the way to answer."""
        shown = self._lines[:NAMED]
        named = map(literal, shown)
        if self._more:
            yield paragraph(f"the first {len(shown):,} of {len(shown) + self._more:,}:")
        yield VerticalScroll(Static(Content("\n").join(named), markup=False), id="names")
        yield paragraph(self._consequence, "bad")
        if self._word is None:
            yield Choices(Choice("no", "n", "No, change nothing"), Choice("yes", "y", "Yes, do it"))
        else:
            most, only = len(self._word) + 10, "[0-9,]*" if self._word.isdigit() else None
            yield Input(compact=True, placeholder=f"type {self._word}", max_length=most, restrict=only)
            yield paragraph(f"Type {self._word} and Enter to do it; Esc changes nothing.", "dim", id="hint")

    def choose(self, id: str) -> None:
        """Answer yes or no."""
        self.end(id == "yes")

    def action_stay(self) -> None:
        """Answer no."""
        self.end(False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer yes if the word is right."""
        event.stop()
        if event.value.strip().replace(",", "") == self._word:
            self.end(True)
        else:
            hint = self.query_one("#hint", Static)
            hint.update(literal(f"Expected {self._word}, got {quoted(event.value)}; Esc changes nothing."))
            hint.set_classes("bad")
