"""An app with one table, and reading what stands on its screen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from textual import on
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.widgets.table import Cell, Column, Key, LiveTable, Row

COLUMNS = (
    Column("name", "name", 10, grow=True),
    Column("state", "state", 9),
    Column("rate", "rate", 7, "right", rank=1),
)
EMPTY = "nothing waits"


def row(key: Key) -> Row:
    return (Cell(f"row {key}"), Cell("! LAG", "bad"), Cell("1.5 MB/s"[:7]))


class Shown(App[None]):
    """Shows a table; keeps what it tells."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, keys: Sequence[Key], columns: Sequence[Column], rows: Callable[[Key], Row | None]) -> None:
        super().__init__()
        self.table = LiveTable(columns, empty=EMPTY)
        self.table.show(keys, rows)
        self.moved: list[Key | None] = []
        self.activated: list[Key] = []
        self.scrolled: list[tuple[Key, ...]] = []

    def compose(self) -> ComposeResult:
        yield self.table

    @on(LiveTable.CursorMoved)
    def _moved(self, event: LiveTable.CursorMoved) -> None:
        self.moved.append(event.key)

    @on(LiveTable.Activated)
    def _activated(self, event: LiveTable.Activated) -> None:
        self.activated.append(event.key)

    @on(LiveTable.Scrolled)
    def _scrolled(self, event: LiveTable.Scrolled) -> None:
        self.scrolled.append(event.keys)

    # What an operator sees.

    def lines(self) -> list[str]:
        """The lines of the screen, without the scrollbar."""
        width = self.size.width - 1
        return [set_cell_size(strip.text, width) for strip in self.screen._compositor.render_strips()]

    def names(self) -> list[str]:
        """The first column of the rows in sight."""
        return [line[2:].split("  ")[0].strip() for line in self.lines()[1:] if line.strip()]

    def cursor_line(self) -> int:
        """The line of the screen on which the cursor stands."""
        (line,) = [y for y, line in enumerate(self.lines()) if line.startswith(">")]
        return line

    def style_at(self, y: int, text: str) -> Style:
        """How `text` on line `y` looks."""
        strip = self.screen._compositor.render_strips()[y]
        return next(style for part, style, _ in strip if text in part and style is not None)


Picture = tuple[Shown, LiveTable, Pilot[None]]


@asynccontextmanager
async def shown(
    keys: Iterable[Key] = (),
    size: tuple[int, int] = (40, 11),
    columns: Sequence[Column] = COLUMNS,
    rows: Callable[[Key], Row | None] = row,
) -> AsyncIterator[Picture]:
    """Run the app with a table that has the keyboard: by default with room for ten rows."""
    app = Shown(list(keys), columns, rows)
    async with app.run_test(size=size) as pilot:
        app.table.focus()
        await pilot.pause()
        yield app, app.table, pilot


def starts(line: str, *texts: str) -> list[int]:
    """Return the cell of a terminal at which each of `texts` begins."""
    return [cell_len(line[: line.index(text)]) for text in texts]
