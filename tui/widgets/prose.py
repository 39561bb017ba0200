"""Text that is read, not chosen from: lines of styled pieces, wrapped, and painted only where they change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells
from textual.binding import Binding

from tui.widgets.columns import Cell, Line
from tui.widgets.lines import LineView

Piece = tuple[str, str]
"""A text, and one of the styles of table cells."""

INDENT = 4
BOUND = "\u00a0"
"""A blank at which no line ends."""
_WORDS = re.compile(rf"/*(?:[^\s/]|{BOUND})+/*[^\S{BOUND}]*|/+[^\S{BOUND}]*|\s+")
"""What stays on one line: words, and the parts of a path or URL."""


class Prose(LineView, can_focus=True):
    """Shows lines under a heading that stays. What is too long goes on below: under the text, if a label of `hang`
    cells stands before it.
    """

    BINDINGS = [  # noqa: RUF012 - as Textual declares it
        Binding("up", "scroll_lines(-1)", show=False),
        Binding("down", "scroll_lines(1)", show=False),
        Binding("pageup", "scroll_pages(-1)", show=False),
        Binding("pagedown", "scroll_pages(1)", show=False),
        Binding("home", "to_first", show=False),
        Binding("end", "to_last", show=False),
    ]

    def __init__(self, *, hang: int = 0, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hang = hang
        self._heading: Sequence[Piece] = ()
        self._lines: Sequence[Sequence[Piece]] = ()
        self._wrapped: list[Line] = []
        self._wrapped_at = 0

    def show(self, heading: Sequence[Piece], lines: Sequence[Sequence[Piece]]) -> None:
        """Show another text; where one has scrolled to stays."""
        self._heading, self._lines, self._wrapped_at = heading, lines, 0
        self._wrap()
        self.scroll_rows(len(self._wrapped), min(self.top, max(0, len(self._wrapped) - self.page)))

    def draw(self) -> list[Line]:
        """Return the heading and the lines in sight."""
        self._wrap()
        heading = Line(tuple(Cell(words, style) for words, style in self._heading))
        return [heading, *self._wrapped[self.top : self.top + self.page]]

    def settle(self) -> None:
        """Wrap for the new width."""
        self._wrap()
        self.scroll_rows(len(self._wrapped), self.top)

    def _wrap(self) -> None:
        width = self.line_width
        if width and width != self._wrapped_at:
            self._wrapped_at = width
            self._wrapped = [Line(cells) for line in self._lines for cells in wrapped(line, width, self._indent(line))]

    def _indent(self, line: Sequence[Piece]) -> int:
        return self._hang if line and len(line[0][0]) == self._hang else INDENT

    def action_scroll_lines(self, step: int) -> None:
        """Scroll by `step` lines."""
        self._to(self.top + step)

    def action_scroll_pages(self, step: int) -> None:
        """Scroll by `step` pages."""
        self._to(self.top + step * self.page)

    def action_to_first(self) -> None:
        """Scroll to the beginning."""
        self._to(0)

    def action_to_last(self) -> None:
        """Scroll to the end."""
        self._to(len(self._wrapped))

    def _to(self, top: int) -> None:
        self.scroll_rows(len(self._wrapped), max(0, min(top, len(self._wrapped) - self.page)))


def wrapped(line: Sequence[Piece], width: int, hang: int) -> Iterator[tuple[Cell, ...]]:
    """Yield the lines that `line` takes in `width` cells; those after the first begin `hang` cells to the right."""
    hang = min(hang, width // 2)
    cells: list[Cell] = []
    used = 0
    for words, style in line:
        for word in _WORDS.findall(words):
            for part in chop_cells(word, max(1, width - hang)):
                length = cell_len(part.rstrip())
                if used + length > width and used:
                    yield tuple(cells)
                    cells, used = [Cell(" " * hang)], hang
                _append(cells, part.replace(BOUND, " "), style)
                used += cell_len(part)
    yield tuple(cells)


def _append(cells: list[Cell], words: str, style: str) -> None:
    if cells and cells[-1].style == style:
        cells[-1] = Cell(cells[-1].text + words, style)
    else:
        cells.append(Cell(words, style))
