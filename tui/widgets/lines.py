"""A scrolled widget made of lines, which paints only those parts of them that have changed."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.content import Content
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.columns import Line, difference, strip

HEADER = 1
"""Lines above the rows, which stay when the rows scroll."""
EIGHTHS = 8
"""The steps by which a scrollbar's thumb moves within a cell."""


class LineView(ScrollView, inherit_bindings=False):
    """Rows under a header. What stands on the screen is kept, and compared with what should stand there."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--row",
        "table--header",
        "table--cursor",
        "table--mark",
        "table--good",
        "table--warn",
        "table--bad",
        "table--dim",
        "table--accent",
        "table--bold",
    }
    DEFAULT_CSS = """
    LineView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        & > .table--header { color: $text-muted; text-style: bold; }
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
        &:nocolor > .table--cursor { background: transparent; color: $foreground; }
        &:nocolor:focus > .table--cursor { text-style: reverse; }
        & > .table--mark { color: $text-accent; }
        & > .table--good { color: $text-success; }
        & > .table--warn { color: $text-warning; }
        & > .table--bad { color: $text-error; }
        & > .table--dim { color: $text-muted; }
        & > .table--accent { color: $text-accent; }
        & > .table--bold { text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawn: list[Line] = []
        self._drawn_for = Size()
        self._rows = 0
        self._thumb = (0, 0)

    def draw(self) -> list[Line]:
        """Return the header and the rows that are in sight: at most `HEADER + page` lines."""
        raise NotImplementedError

    @property
    def page(self) -> int:
        """The number of rows for which there is room."""
        return max(0, self.scrollable_content_region.height - HEADER)

    @property
    def line_width(self) -> int:
        """The width of a line, in cells."""
        return self.scrollable_content_region.width

    @property
    def top(self) -> int:
        """The number of the first row in sight."""
        return self.scroll_offset.y

    def retitle(self, title: Content) -> None:
        """Set the title in the border, and paint that line only (setting `border_title` paints all lines)."""
        self._border_title = title
        self.refresh(Region(-self.gutter.left, -self.gutter.top, self.outer_size.width, self.gutter.top))

    def resubtitle(self, subtitle: Content) -> None:
        """Set the text in the lower border, and paint that line only."""
        if subtitle.plain != ("" if self._border_subtitle is None else self._border_subtitle.plain):
            self._border_subtitle = subtitle
            bottom = self.outer_size.height - self.gutter.height
            self.refresh(Region(-self.gutter.left, bottom, self.outer_size.width, self.gutter.bottom))

    def paint(self) -> None:
        """Draw all lines, and paint what differs from what was drawn before."""
        if not self.is_mounted:
            return
        old, new = self._drawn, self._redraw()
        if len(old) == len(new):
            width = self._drawn_for.width
            spans = [difference(*pair, width) for pair in zip(old, new, strict=True)]
            regions = [Region(span[0], y, span[1] - span[0], 1) for y, span in enumerate(spans) if span is not None]
            if regions:
                self.refresh(*regions)
        else:
            self.refresh()
        self._move_thumb()

    def _redraw(self) -> list[Line]:
        self._drawn_for = self.scrollable_content_region.size
        lines = self.draw() if self.scrollable_content_region.area else []
        self._drawn = lines + [Line()] * (HEADER + self.page - len(lines))
        return self._drawn

    def settle(self) -> None:
        """Take the size that the layout has given."""
        self.paint()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.settle()

    def scroll_rows(self, rows: int, top: int) -> None:
        """Have `rows` in all, the first in sight being `top` as far as that is possible; and paint."""
        self._rows = rows
        # set quietly: a new layout of the screen for every row that comes or goes would paint all of it
        self.set_reactive(Widget.virtual_size, Size(self.size.width, HEADER + rows))
        before = self.top
        if self.is_mounted:
            self.scroll_to(y=top, animate=False, force=True)
        if self.top == before:
            self.paint()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Paint when another row is the first in sight."""
        if round(old_value) != round(new_value):
            self.paint()

    def _move_thumb(self) -> None:
        """Tell the scrollbar only what changes its look: else each row that comes or goes would paint all of it."""
        height, total = HEADER + self.page, HEADER + self._rows
        thumb = (self.top * height * EIGHTHS // total, min(total, height) * height * EIGHTHS // total)
        if thumb != self._thumb:
            self._thumb = thumb
            bar = self.vertical_scrollbar
            bar.window_virtual_size, bar.window_size, bar.position = total, height, self.top

    def render_line(self, y: int) -> Strip:
        """Return line `y` of the widget, as it was drawn."""
        # a widget that was hidden is not always told that it has a size again
        if self._drawn_for != self.scrollable_content_region.size:
            self._redraw()
            self.call_later(self.settle)
        line = self._drawn[y] if y < len(self._drawn) else Line()
        return strip(line, self._drawn_for.width, self._style)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"table--{name or 'row'}")
