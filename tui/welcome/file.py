"""The third step: the file that is about to be written, and where."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from core.config.draft import Draft
from core.config.loading import parse_config
from core.config.template import COMMENT_AT, TEMPLATE, write_new
from core.errors import ConfigError
from core.text import display
from tui.welcome.field import Field
from tui.welcome.judging import Verdict, judge_file
from tui.welcome.step import BACK, QUIT, Step
from tui.widgets.prose import Piece, Prose, wrapped

MIRROR = next(line for line in TEMPLATE.splitlines() if line.startswith("[[mirror]]"))
GAP = "  # "
"""What stands between a setting and its comment."""
Written = Callable[[Path, str], None]


class FileStep(Step):
    """Shows the configuration, and writes it. `written` takes the file, and what stands in it."""

    NUMBER = 3
    AUTO_FOCUS = "#file Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "Write it, and check", priority=True),
        Binding("down", "scroll('scroll_lines(1)')", "Scroll"),
        Binding("up", "scroll('scroll_lines(-1)')", show=False),
        Binding("pagedown", "scroll('scroll_pages(1)')", show=False),
        Binding("pageup", "scroll('scroll_pages(-1)')", show=False),
        BACK,
        QUIT,
    ]

    def __init__(self, draft: Draft, place: Path, written: Written) -> None:
        super().__init__()
        self._text = draft.text()
        self._written = written
        self._file = Field("File", judge_file, str(place), id="file")
        self._preview = Prose(hang=COMMENT_AT, id="preview")
        self._preview.can_focus = False

    def body(self) -> Iterator[Widget]:
        """Yield the name of the file, and its text."""
        yield self._file
        yield self._preview

    def on_mount(self) -> None:
        """Show the text; what differs from the defaults stands out."""
        lines = _lines(self._text)
        self._preview.show([("This will be written, for you alone to read:", "bold")], lines)
        self.call_after_refresh(self._scroll_to_mirror, lines[: self._text.splitlines().index(MIRROR)])

    def _scroll_to_mirror(self, above: list[list[Piece]]) -> None:
        width = self._preview.line_width
        self._preview.action_scroll_lines(sum(len(list(wrapped(line, width, COMMENT_AT))) for line in above))

    async def action_scroll(self, action: str) -> None:
        """Scroll the text while the name of the file has the keyboard."""
        await self._preview.run_action(action)

    def action_go_on(self) -> None:
        """Write the file, unless there is one."""
        self.run_worker(self._write(), group="writing", exit_on_error=False)

    async def _write(self) -> None:
        if not (await self._file.judged()).usable:
            return
        try:
            file = await asyncio.to_thread(_write, self._file.value, self._text)
        except ConfigError as error:
            self._file.say(Verdict(str(error), "bad"))
        else:
            self._written(file, self._text)


def _write(name: str, text: str) -> Path:
    file = Path(name).expanduser().absolute()
    parse_config(text, file)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{display(file.parent)}: cannot be created: {error.strerror}") from None
    write_new(file, text)
    return file


def _lines(text: str) -> list[list[Piece]]:
    """Return the lines with their comments apart; what was chosen stands out."""
    usual = set(TEMPLATE.splitlines())
    lines: list[list[Piece]] = []
    for line in map(display, text.splitlines()):
        setting, gap, comment = line.partition(GAP)
        chosen = "" if line in usual else "bold"
        lines.append([(setting + gap[:-2], "dim" if line.startswith("#") else chosen), (gap[-2:] + comment, "dim")])
    return lines
