"""The fallback for terminals that take no text for their clipboard: the text itself, to be selected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from tui.screens.dialog import Dialog, paragraph

LINES = 1000
"""How many lines are shown at most."""


class CopyScreen(Dialog[None]):
    """Show `text` over the whole width, without a frame beside it, so that selecting takes the text alone."""

    DEFAULT_CSS = """
    CopyScreen #text { height: 1fr; background: $surface; }
    CopyScreen .hint { background: $primary; color: $text; width: 100%; }
    """
    AUTO_FOCUS = "#text"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q", "stay", "Close", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__("Copy")
        self._text = text

    def compose(self) -> ComposeResult:
        """Put the text below the hint, without a box."""
        yield from self.body()

    def body(self) -> Iterator[Widget]:
        """Yield the hint and the text."""
        yield paragraph("Copied if your terminal allows it, else select with Shift and mouse. Esc closes.", "hint")
        yield VerticalScroll(*(paragraph(line) for line in self._text.splitlines()[:LINES]), id="text")
