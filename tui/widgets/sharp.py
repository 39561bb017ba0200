"""A screen that writes to the terminal only what was asked to be painted."""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor
from textual.screen import Screen, ScreenResultType


class SharpUpdate(ChopsUpdate):
    """Parts of lines. Textual's own update of a part begins at the left edge of its widget."""

    def render_segments(self, console: Console) -> str:
        """Return what is to be written to the terminal."""
        written: list[str] = []
        for y, left, right in self.spans:
            for end, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=True):
                begin = max(left, start)
                if strip is not None and begin < min(right, end):
                    part = strip.crop(begin - start, min(right, end) - start)
                    written += [Control.move_to(begin, y).segment.text, part.render(console)]
        return "".join(written)


class SharpCompositor(Compositor):
    """Makes sharp updates."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """Return what has changed since the last update, if anything."""
        update = super().render_partial_update()
        return None if update is None else SharpUpdate(update.chops, update.spans, update.chop_ends)


class SharpScreen(Screen[ScreenResultType]):
    """A screen on which a cell far to the right costs no more bytes than one at the left."""

    def __init__(self, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name, id, classes)
        self._compositor = SharpCompositor()
