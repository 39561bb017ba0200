"""A table for live data: only the rows in sight are drawn, and the cursor follows its row whatever arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from textwrap import wrap
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message

from tui.widgets.columns import GAP, MARGIN, Cell, Column, Line, Row, arrange, header_line, row_line
from tui.widgets.lines import HEADER, LineView
from tui.widgets.order import Key, Order

__all__ = ["Cell", "Column", "Key", "LiveTable", "Row"]

RowSource = Callable[[Key], Row | None]
Sort = tuple[str, bool]


class LiveTable(LineView, can_focus=True, inherit_bindings=False):
    """Rows with keys; a cursor and marks that belong to keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", show=False),
        Binding("down", "cursor_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("enter", "activate", show=False),
        Binding("right", "turn(True)", show=False),
        Binding("left", "turn(False)", show=False),
    ]

    class CursorMoved(Message):
        """The cursor is on another key, None if there are no rows; `by_hand`: a key or the mouse has put it there."""

        def __init__(self, table: LiveTable, key: Key | None, *, by_hand: bool) -> None:
            super().__init__()
            self.table = table
            self.key = key
            self.by_hand = by_hand

    class Activated(Message):
        """A row was chosen, by Enter or a double click."""

        def __init__(self, table: LiveTable, key: Key) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class Turned(Message):
        """The right or the left arrow was pressed: rows that hold others are opened and closed by that."""

        def __init__(self, table: LiveTable, to_right: bool) -> None:
            super().__init__()
            self.table = table
            self.to_right = to_right

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
        self._order = Order()
        self._cursor = 0
        self._at_first = True
        self._marks: frozenset[Key] = frozenset()
        self._frozen = False
        self._sort: Sort | None = None
        self._ordered_by: Sort | None = None
        self._in_sight: tuple[Key, ...] = ()

    # What is shown.

    def show(self, keys: Sequence[Key], row: RowSource, *, narrowed: bool = False) -> None:
        """Show these rows: `row` tells the cells of a key, or None if it is not loaded yet.

        `narrowed`: rows may be missing only because a filter hides them, and keep their marks.
        Paints what differs from what stands on the screen. Both are kept: `keys` must not be changed afterwards, and
        `row` is called again when other rows come into sight.
        """
        order = self._order
        if keys != self._given:
            keep = self._frozen and self._sort == self._ordered_by
            order = order.keeping(keys) if keep else Order(keys)
        self._given, self._row_of, self._ordered_by = keys, row, self._sort
        if self._marks and not narrowed:
            self._marks = frozenset(self._marks & order.places.keys())
        self._follow(order)

    @property
    def keys(self) -> Sequence[Key]:
        """All keys, in the order in which they are shown."""
        return self._order.keys

    def visible_keys(self) -> tuple[Key, ...]:
        """Return the keys that are in sight, from top to bottom."""
        return tuple(self.keys[self.top : self.top + self.page])

    @property
    def steady_row(self) -> tuple[Key | None, int]:
        """The row that stays on its line whatever comes and goes, and that line: the cursor's, if that is in sight.

        None: the first row is in sight, and will be, whichever it is.
        """
        at = self._steady()
        stays = bool(self.keys) and not (self._at_first and at == 0)
        return (self.keys[at], at - self.top) if stays else (None, 0)

    @property
    def at_first(self) -> bool:
        """Whether the cursor stays on the first row, whichever that is: until it is moved or held."""
        return self._at_first

    def hold(self) -> None:
        """Keep the cursor on the row that it is on, if there is one: it has been chosen."""
        self._at_first = self._at_first and not self.keys

    def _steady(self) -> int:
        return (
            self._cursor if self._cursor in range(self.top, self.top + self.page) else min(self.top, len(self.keys) - 1)
        )

    @property
    def frozen(self) -> bool:
        """Whether rows stay where they are until they are sorted in another way: new ones come last."""
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
        if sort != self._sort:
            self._sort = sort
            self.paint()

    @property
    def columns_shown(self) -> frozenset[str]:
        """The keys of the columns for which there is room."""
        return frozenset(self.columns[place.column].key for place in arrange(self.columns, self.line_width))

    @property
    def empty(self) -> str:
        """What is said when there are no rows."""
        return self._empty

    @empty.setter
    def empty(self, words: str) -> None:
        if words != self._empty:
            self._empty = words
            self.paint()

    def paint(self) -> None:
        """Paint what has changed, and tell which keys are in sight."""
        super().paint()
        in_sight = self.visible_keys()
        if in_sight != self._in_sight:
            self._in_sight = in_sight
            self.post_message(self.Scrolled(self, in_sight))

    def draw(self) -> list[Line]:
        """Return the header, and the rows in sight or what is said when there are none."""
        places = arrange(self.columns, self.line_width)
        lines = [header_line(self.columns, places, self._sort)]
        if not self.keys:
            return lines + self._words()
        cursor = self.cursor_key
        return lines + [
            row_line(self._row_of(key), self.columns, places, cursor=key == cursor, marked=key in self._marks)
            for key in self.visible_keys()
        ]

    def _words(self) -> list[Line]:
        edge = " " * (MARGIN + GAP)
        room = max(1, self.line_width - len(edge))
        words = [part for line in self._empty.splitlines() for part in wrap(line, room)]
        return [Line((Cell(edge + part, "dim"),)) for part in words[: self.page]]

    def settle(self) -> None:
        """Arrange the columns anew, with the cursor in sight."""
        self._put(self._cursor)

    def _follow(self, order: Order) -> None:
        """Take a new order. The cursor stays on its key and on its line; if it is out of sight, the first row does.

        One that nobody has moved from the first row stays there: what is first matters most.
        """
        old, before = self._order, self.cursor_key
        anchor, on_top = self._steady(), self._at_first and self.top == 0
        top = 0 if on_top else self.top + order.follow(old, anchor) - anchor
        self._order, self._cursor = order, 0 if self._at_first else order.follow(old, self._cursor)
        self.scroll_rows(len(order), top)
        self._tell_cursor(before)

    # Cursor and marks.

    @property
    def cursor_key(self) -> Key | None:
        """The key of the row on which the cursor is; None if there are no rows."""
        return self.keys[self._cursor] if self.keys else None

    def move_to(self, key: Key) -> None:
        """Put the cursor on `key`, and bring it into sight. Nothing happens if there is no such row."""
        place = self._order.place(key, near=self._cursor)
        if place is not None:
            self._at_first = False
            self._put(place)

    def _move(self, place: int, scrolled: int = 0) -> None:
        """Put the cursor on the row at `place` by hand, to follow that from now on; scroll as `_put` does."""
        self._at_first = False
        self._put(place, scrolled, by_hand=True)

    def _put(self, place: int, scrolled: int = 0, *, by_hand: bool = False) -> None:
        """Put the cursor on the row at `place`; scroll by `scrolled` rows, and so far that it is in sight."""
        before, self._cursor = self.cursor_key, max(0, min(place, len(self.keys) - 1))
        top = max(min(self.top + scrolled, self._cursor), self._cursor - max(1, self.page) + 1)
        self.scroll_rows(len(self.keys), top)
        self._tell_cursor(before, by_hand=by_hand)

    def _tell_cursor(self, before: Key | None, *, by_hand: bool = False) -> None:
        if self.cursor_key != before:
            self.post_message(self.CursorMoved(self, self.cursor_key, by_hand=by_hand))

    @property
    def marked(self) -> frozenset[Key]:
        """The keys that are marked, those that a filter hides among them."""
        return self._marks

    def marked_in_order(self) -> list[Key]:
        """Return the keys that are marked and not hidden, from top to bottom."""
        places = self._order.places
        return sorted(self._marks & places.keys(), key=places.__getitem__)

    def unmark_shown(self) -> None:
        """Take the marks away but for those that a filter hides."""
        self._set_marks(frozenset(self._marks - self._order.places.keys()))

    def toggle_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away."""
        if self.keys:
            self._set_marks(self._marks ^ {self.cursor_key})

    def mark(self, keys: Iterable[Key]) -> None:
        """Mark those of `keys` that are shown, beside those that are marked already."""
        self._set_marks(self._marks | (self._order.places.keys() & keys))

    def clear_marks(self) -> None:
        """Take all marks away."""
        self._set_marks(frozenset())

    def _set_marks(self, marks: frozenset[Key]) -> None:
        self._marks = marks
        self.paint()

    # What keys and mouse do.

    def action_cursor_up(self) -> None:
        """Go to the row above."""
        self._move(self._cursor - 1)

    def action_cursor_down(self) -> None:
        """Go to the row below."""
        self._move(self._cursor + 1)

    def action_page_up(self) -> None:
        """Go up by as many rows as are in sight."""
        self._move(self._cursor - self.page, -self.page)

    def action_page_down(self) -> None:
        """Go down by as many rows as are in sight."""
        self._move(self._cursor + self.page, self.page)

    def action_first(self) -> None:
        """Go to the first row."""
        self._move(0)
        self._at_first = True

    def action_last(self) -> None:
        """Go to the last row."""
        self._move(len(self.keys) - 1)

    def action_activate(self) -> None:
        """Choose the row under the cursor."""
        if self.cursor_key is not None:
            self.post_message(self.Activated(self, self.cursor_key))

    def action_turn(self, to_right: bool) -> None:
        """Tell of an arrow to the side."""
        self.post_message(self.Turned(self, to_right))

    def on_click(self, event: Click) -> None:
        """Put the cursor on a row; a second click chooses it, unless another row has come there in between."""
        offset = event.get_content_offset(self)
        place = -1 if offset is None else self.top + offset.y - HEADER
        if place < self.top or place >= len(self.keys):
            return
        again = event.chain == 2 and place == self._cursor
        self._move(place)
        if again:
            self.action_activate()
