"""The two lines above everything, painted where they change."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from tui.panes.header import Situation, Words, first_line, second_line
from tui.snapshot import Snapshot

STYLES = {
    "good": "$text-success",
    "warn": "$text-warning bold",
    "bad": "$text-error bold",
    "dim": "dim",
    "accent": "$accent",
    "bold": "bold",
}


class HeaderBar(Widget):
    """Two lines, drawn from a snapshot; the clock goes on with it."""

    DEFAULT_CSS = "HeaderBar { dock: top; height: 2; padding: 0 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._drawn = [Content(""), Content("")]
        self._picture: tuple[Snapshot, Situation] | None = None

    def show(self, snapshot: Snapshot, situation: Situation) -> None:
        """Draw anew, and paint what has changed."""
        self._picture = snapshot, situation
        self._draw()

    def on_resize(self) -> None:
        """Fit the new width."""
        self._draw()

    def render(self) -> Content:
        """Return what was drawn last."""
        return Content("\n").join(self._drawn)

    def _draw(self) -> None:
        width = self.content_size.width
        if self._picture is None or not width:
            return
        old = self._drawn
        lines = first_line(*self._picture, width), second_line(self._picture[0], width)
        self._drawn = [justified(left, right, width) for left, right in lines]
        for y, (before, after) in enumerate(zip(old, self._drawn, strict=True)):
            if not before.is_same(after):
                same = _same(before.plain, after.plain)
                begin = same if _looks(before, same) == _looks(after, same) else 0
                left = cell_len(after.plain[:begin])
                self.refresh(Region(left, y, width - left, 1))


def _same(old: str, new: str) -> int:
    """Return how many characters at the beginning are the same."""
    return next((at for at, (before, after) in enumerate(zip(old, new, strict=False)) if before != after), 0)


def _looks(line: Content, end: int) -> list[object]:
    """Return how the first `end` characters look."""
    return [(span.start, min(span.end, end), span.style) for span in line.spans if span.start < end]


def justified(left: Words, right: Words, width: int) -> Content:
    """Put words at both ends of a line; the right end gives way, then the left one is cut."""
    beginning, end = _styled(left), _styled(right)
    gap = width - beginning.cell_length - end.cell_length
    if gap >= 1:
        return Content.assemble(beginning, " " * gap, end)
    return beginning.truncate(width, ellipsis=True)


def _styled(words: Words) -> Content:
    return Content.assemble(*((text, STYLES.get(style, "")) for text, style in words))
