"""Columns: which of them fit, and the lines of a table made of cells of exact width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Literal, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

ELLIPSIS = "…"
CURSOR = ">"
MARK = "◆"
RISING, FALLING = "▲", "▼"
MARGIN = 2
"""Cells before the first column: one for the cursor, one for the mark."""
GAP = 1
"""Cells before each column."""

Align = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one column of a row: `text`, or `short` where that doesn't fit.

    Both went through `core.text.display()`; `style` is "", "good", "warn", "bad", "dim", "accent" or "bold", and
    never the only carrier of meaning.
    """

    text: str
    style: str = ""
    short: str = ""


Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `width` cells; those that may `grow` share what is left, up to `most` cells each.

    When there is not room for all, those of the highest `rank` are left out first; rank 0 always stays. Of a text that
    is too long the last `tail` characters stay: where names differ at their end.
    """

    key: str
    title: str
    width: int
    align: Align = "left"
    grow: bool = False
    rank: int = 0
    tail: int = 0
    most: int = 60


class Place(NamedTuple):
    """A column that is shown: its index, and its width in cells."""

    column: int
    width: int


class Line(NamedTuple):
    """A line as it is drawn: cells that stand side by side without gaps, and how all of it looks."""

    cells: Row = ()
    look: Literal["", "cursor", "header"] = ""
    bold: bool = False


def arrange(columns: Sequence[Column], width: int) -> tuple[Place, ...]:
    """Return the columns that are shown in `width` cells, from left to right."""
    shown = list(enumerate(columns))
    while (room := width - MARGIN - sum(GAP + column.width for _, column in shown)) < 0:
        # of equal ranks the right one goes first
        last = max(shown, key=lambda one: (one[1].rank, one[0]), default=None)
        if last is None or last[1].rank == 0:
            break
        shown.remove(last)
    growing = sorted((column.most - column.width, index) for index, column in shown if column.grow)
    more: dict[int, int] = {}
    for at, (least, index) in enumerate(growing):  # the one with the least to go first: others take what it leaves
        more[index] = min(room // (len(growing) - at), least)
        room -= more[index]
    return tuple(Place(index, max(1, column.width + more.get(index, 0))) for index, column in shown)


@lru_cache(8192)
def fit(text: str, width: int, align: Align = "left", tail: int = 0) -> str:
    """Return `text` in exactly `width` cells of a terminal, with an ellipsis where it was cut.

    Its last `tail` characters are kept if that leaves at least as much of its beginning.
    """
    length = cell_len(text)
    if length > width:
        end = text[-tail:] if 0 < tail * 2 < width else ""
        head = width - 1 - cell_len(end)
        return set_cell_size(set_cell_size(text, head) + ELLIPSIS + end, width) if width > 0 else ""
    blank = " " * (width - length)
    return blank + text if align == "right" else text + blank


def row_line(
    row: Row | None, columns: Sequence[Column], places: Sequence[Place], *, cursor: bool, marked: bool
) -> Line:
    """Return the line of a row; of one that is not loaded yet, if `row` is None."""
    margin = Cell((CURSOR if cursor else " ") + (MARK if marked else " "), "mark" if marked else "")
    if row is None:
        row = (Cell(ELLIPSIS, "dim"),) * len(columns)
    cells = [_in_place(row[at], width, columns[at]) for at, width in places]
    return Line((margin, *cells), "cursor" if cursor else "", marked)


def header_line(columns: Sequence[Column], places: Sequence[Place], sort: tuple[str, bool] | None) -> Line:
    """Return the line of titles; that of the column `sort` names tells whether the order is reversed."""
    cells = [Cell(" " * MARGIN)]
    for at, width in places:
        column = columns[at]
        title = column.title
        if sort is not None and column.key == sort[0]:
            title = fit(title, min(cell_len(title), width - 1)) + (FALLING if sort[1] else RISING)
        cells.append(_in_place(Cell(title), width, column))
    return Line(tuple(cells), "header")


def _in_place(cell: Cell, width: int, column: Column) -> Cell:
    text = cell.short if cell.short and cell_len(cell.text) > width else cell.text
    return Cell(" " * GAP + fit(text, width, column.align, column.tail), cell.style)


def difference(old: Line, new: Line, width: int) -> tuple[int, int] | None:
    """Return from which up to which cell `new` differs from `old` on a line of `width`; None if they look alike."""
    if old == new:
        return None
    widths = [cell_len(cell.text) for cell in new.cells]
    if (old.look, old.bold) != (new.look, new.bold) or [cell_len(cell.text) for cell in old.cells] != widths:
        return 0, width
    edges = list(accumulate(widths, initial=0))
    changed = [at for at, (before, after) in enumerate(zip(old.cells, new.cells, strict=True)) if before != after]
    return edges[changed[0]], min(width, edges[changed[-1] + 1])


def strip(line: Line, width: int, style: Callable[[str], Style]) -> Strip:
    """Return `line` in `width` cells; `style` gives the style of a name, with "" for plain text.

    On a line that looks special as a whole the colours of its cells give way. Blanks look like what is to the left of
    them: each change of style costs some 40 bytes at the terminal.
    """
    runs: list[tuple[str, str]] = []
    for cell in line.cells:
        name = line.look or cell.style
        if runs and (name == runs[-1][1] or cell.text.isspace()):
            runs[-1] = (runs[-1][0] + cell.text, runs[-1][1])
        else:
            runs.append((cell.text, name))
    bold = Style(bold=True) if line.bold else Style.null()
    return Strip([Segment(text, style(name) + bold) for text, name in runs]).adjust_cell_length(width, style(line.look))
