"""A table for live data: only the rows in sight are drawn, and only what changed is painted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from textwrap import wrap
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.columns import (
    Cell,
    Column,
    Line,
    Row,
    arrange,
    difference,
    header_line,
    row_line,
    strip,
)
from tui.widgets.order import Key, Order

__all__ = ["Cell", "Column", "Key", "LiveTable", "Row"]

HEADER = 1
"""Lines above the rows."""
EIGHTHS = 8
"""A scrollbar's thumb moves by parts of a cell."""

RowSource = Callable[[Key], Row | None]
Sort = tuple[str, bool]


class LiveTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows with keys, under a header that stays; a cursor and marks that follow their keys whatever arrives."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", show=False),
        Binding("down", "cursor_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("enter", "activate", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--good",
        "table--warn",
        "table--bad",
        "table--dim",
        "table--accent",
        "table--bold",
        "table--mark",
    }
    DEFAULT_CSS = """
    LiveTable {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        & > .table--header { text-style: bold; color: $text-muted; }
        & > .table--cursor {
            background: $block-cursor-blurred-background;
            color: $block-cursor-blurred-foreground;
            text-style: $block-cursor-blurred-text-style;
        }
        &:focus > .table--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: $block-cursor-text-style;
        }
        &:nocolor > .table--cursor { background: transparent; color: $foreground; text-style: none; }
        &:nocolor:focus > .table--cursor { text-style: reverse; }
        & > .table--good { color: $text-success; }
        & > .table--warn { color: $text-warning; }
        & > .table--bad { color: $text-error; }
        & > .table--dim { color: $text-muted; }
        & > .table--accent { color: $text-accent; }
        & > .table--bold { text-style: bold; }
        & > .table--mark { color: $text-accent; text-style: bold; }
    }
    """

    class CursorMoved(Message):
        """The cursor is on another key; None if there are no rows."""

        def __init__(self, table: LiveTable, key: Key | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class Activated(Message):
        """A row was chosen, by Enter or a double click."""

        def __init__(self, table: LiveTable, key: Key) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class Scrolled(Message):
        """Other keys are in sight, for whatever reason."""

        def __init__(self, table: LiveTable, keys: tuple[Key, ...]) -> None:
            super().__init__()
            self.table = table
            self.keys = keys

    def __init__(self, columns: Sequence[Column], *, id: str | None = None, empty: str = "") -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._empty = empty
        self._row_of: RowSource = lambda _: None
        self._given: Sequence[Key] = ()
        self._shown = Order()
        self._at = 0
        self._marks: frozenset[Key] = frozenset()
        self._frozen = False
        self._sort: Sort | None = None
        self._drawn: list[Line] = []
        self._in_sight: tuple[Key, ...] = ()
        self._thumb = (0, 0)

    # What is shown.

    def show(self, keys: Sequence[Key], row: RowSource) -> None:
        """Show these rows: `row` tells the cells of a key, or None if it is not loaded yet.

        Paints what differs from what stands on the screen. Both are kept: `keys` must not be changed afterwards, and
        `row` is called again when other rows come into sight.
        """
        self._given, self._row_of = keys, row
        self._follow(self._shown.keeping(keys) if self._frozen else Order(keys))

    @property
    def keys(self) -> Sequence[Key]:
        """All keys, in the order in which they are shown."""
        return self._shown.keys

    def visible_keys(self) -> tuple[Key, ...]:
        """Return the keys that are in sight, from top to bottom."""
        top = self.scroll_offset.y
        return tuple(self.keys[top : top + self._height])

    @property
    def frozen(self) -> bool:
        """Whether rows stay where they are: those that go leave, new ones come last."""
        return self._frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._frozen = frozen
        if not frozen:
            self._follow(Order(self._given))

    @property
    def sort_mark(self) -> Sort | None:
        """The key of the column by which rows are sorted, and whether in reverse; shown in the header."""
        return self._sort

    @sort_mark.setter
    def sort_mark(self, sort: Sort | None) -> None:
        self._sort = sort
        self._paint()

    @property
    def empty(self) -> str:
        """What is said when there are no rows."""
        return self._empty

    @empty.setter
    def empty(self, words: str) -> None:
        self._empty = words
        self._paint()

    def retitle(self, title: Content) -> None:
        """Set the title in the border, and paint that line only (setting `border_title` paints the whole table)."""
        self._border_title = title
        self.refresh(Region(-self.gutter.left, -self.gutter.top, self.outer_size.width, self.gutter.top))

    # Cursor and marks.

    @property
    def cursor_key(self) -> Key | None:
        """The key of the row on which the cursor is; None if there are no rows."""
        return self.keys[self._at] if self.keys else None

    def move_to(self, key: Key) -> None:
        """Put the cursor on `key`, and bring it into sight. Nothing happens if there is no such row."""
        place = self._shown.place(key, near=self._at)
        if place is not None:
            self._move(place)

    @property
    def marked(self) -> frozenset[Key]:
        """The keys that are marked."""
        return self._marks

    def toggle_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away."""
        if self.keys:
            self._set_marks(self._marks ^ {self.cursor_key})

    def mark(self, keys: Iterable[Key]) -> None:
        """Mark those of `keys` that are shown, beside those that are marked already."""
        self._set_marks(self._marks | (self._shown.places.keys() & keys))

    def clear_marks(self) -> None:
        """Take all marks away."""
        self._set_marks(frozenset())

    def _set_marks(self, marks: frozenset[Key]) -> None:
        self._marks = marks
        self._paint()

    def _move(self, place: int) -> None:
        before, self._at = self.cursor_key, max(0, min(place, len(self.keys) - 1))
        top = self.scroll_offset.y
        self._scroll(max(min(top, self._at), self._at - self._height + 1))
        if self.cursor_key != before:
            self.post_message(self.CursorMoved(self, self.cursor_key))

    def action_cursor_up(self) -> None:
        """Go to the row above."""
        self._move(self._at - 1)

    def action_cursor_down(self) -> None:
        """Go to the row below."""
        self._move(self._at + 1)

    def action_page_up(self) -> None:
        """Go up by as many rows as are in sight."""
        self._move(self._at - self._height)

    def action_page_down(self) -> None:
        """Go down by as many rows as are in sight."""
        self._move(self._at + self._height)

    def action_first(self) -> None:
        """Go to the first row."""
        self._move(0)

    def action_last(self) -> None:
        """Go to the last row."""
        self._move(len(self.keys) - 1)

    def action_activate(self) -> None:
        """Choose the row under the cursor."""
        if self.cursor_key is not None:
            self.post_message(self.Activated(self, self.cursor_key))

    def on_click(self, event: Click) -> None:
        """Put the cursor on a row; a second click at once chooses it, unless another row has come there meanwhile."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < HEADER:
            return
        place = self.scroll_offset.y + offset.y - HEADER
        if place < len(self.keys):
            again = event.chain == 2 and place == self._at
            self._move(place)
            if again:
                self.action_activate()

    # Following rows to where they have gone.

    def _follow(self, order: Order) -> None:
        """Take a new order: the cursor stays on its key and its line; with the cursor out of sight, the first row does."""
        old, self._shown = self._shown, order
        top, before = self.scroll_offset.y, old.keys[self._at] if old.keys else None
        anchor = self._at if top <= self._at < top + self._height else top
        self._at, moved = order.follow(old, self._at), order.follow(old, anchor) - anchor
        if self._marks and order.keys != old.keys:
            self._marks = frozenset(self._marks & order.places.keys())
        # set quietly: a layout of the whole screen for every row that comes or goes would paint all of it
        self.set_reactive(Widget.virtual_size, Size(self.size.width, HEADER + len(order)))
        self._scroll(top + moved)
        if self.cursor_key != before:
            self.post_message(self.CursorMoved(self, self.cursor_key))

    def _scroll(self, top: int) -> None:
        """Make `top` the first row in sight, as far as that is possible, and paint."""
        before = self.scroll_offset.y
        if self.is_mounted:
            self.scroll_to(y=top, animate=False, force=True)
        if self.scroll_offset.y == before:
            self._paint()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Paint when the first row in sight is another one."""
        if round(old_value) != round(new_value):
            self._paint()

    def on_resize(self) -> None:
        """Arrange the columns anew; what was in sight of the cursor stays so."""
        top = self.scroll_offset.y
        if top <= self._at < top + len(self._drawn):
            self._move(self._at)
        self._paint()

    # Drawing.

    @property
    def _height(self) -> int:
        return max(0, self.scrollable_content_region.height - HEADER)

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _paint(self) -> None:
        """Draw all lines, and have those painted that differ from what was drawn before."""
        drawn, self._drawn = self._drawn, self._draw()
        if len(drawn) != len(self._drawn):
            self.refresh()
        else:
            pairs = enumerate(zip(drawn, self._drawn, strict=True))
            changes = [(y, difference(old, new, self._width)) for y, (old, new) in pairs]
            regions = [Region(span[0], y, span[1] - span[0], 1) for y, span in changes if span is not None]
            if regions:
                self.refresh(*regions)
        self._move_thumb()
        in_sight = self.visible_keys()
        if in_sight != self._in_sight:
            self._in_sight = in_sight
            self.post_message(self.Scrolled(self, in_sight))

    def _draw(self) -> list[Line]:
        if not self._width or not self._height:
            return []
        places = arrange(self.columns, self._width)
        lines = [header_line(self.columns, places, self._sort)]
        if self.keys:
            cursor = self.cursor_key
            lines += [
                row_line(self._row_of(key), self.columns, places, cursor=key == cursor, marked=key in self._marks)
                for key in self.visible_keys()
            ]
        else:
            words = [line for part in self._empty.splitlines() for line in wrap(part, max(1, self._width - 2))]
            lines += [Line((Cell(" " + line, "dim"),)) for line in words][: self._height]
        return lines + [Line()] * (HEADER + self._height - len(lines))

    def _move_thumb(self) -> None:
        """Tell the scrollbar, but only what changes its look: else all of it would be painted for every row that comes."""
        bar, height, total = self.vertical_scrollbar, self._height + HEADER, HEADER + len(self.keys)
        thumb = (self.scroll_offset.y * height * EIGHTHS // total, min(total, height) * height * EIGHTHS // total)
        if thumb != self._thumb:
            self._thumb = thumb
            bar.window_virtual_size, bar.window_size, bar.position = total, height, self.scroll_offset.y

    def render_line(self, y: int) -> Strip:
        """Return line `y` of the widget, as it was drawn."""
        line = self._drawn[y] if y < len(self._drawn) else Line()
        return strip(line, self._width, self._style)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"table--{name}") if name else self.rich_style
