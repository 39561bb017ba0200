"""The palette: every command by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider, SearchIcon
from textual.content import Content

from core.text import display
from tui.commands import COMMANDS, Command, Commanding
from tui.keymap import label

NOT_NOW = 0.001
"""What the score of a command that can't be given is multiplied by."""
BEGINS = 100.0
"""What is added if a word of the title begins so: more than letters that are scattered over it can give."""


class CommandProvider(Provider):
    """The commands for the palette: those that can be given first, the others with the reason why not."""

    async def discover(self) -> Hits:
        """Yield all commands."""
        for command, why in sorted(self._commands(), key=lambda pair: pair[1] is not None):
            prompt = self._prompt(command, Content(command.title), why)
            yield DiscoveryHit(prompt, self._run(command), text=command.title)

    async def search(self, query: str) -> Hits:
        """Yield the commands whose title is like `query`, and those whose other words, or whose help, contain it.

        Those come first of which a word begins with it, and among equals those that can be given. A colon before the
        query, as editors want it, is no part of it.
        """
        query = query.removeprefix(":").strip().lower()
        if not query:
            async for hit in self.discover():
                yield hit
            return
        matcher = self.matcher(query)
        for command, why in self._commands():
            score = (
                matcher.match(command.title) or 0.2 * (query in command.words) or 0.1 * (query in command.help.lower())
            )
            if score:
                score *= 1.0 if why is None else NOT_NOW
                score += BEGINS * any(word.startswith(query) for word in command.title.lower().split())
                prompt = self._prompt(command, matcher.highlight(command.title), why)
                yield Hit(score, prompt, self._run(command), text=command.title)

    @property
    def _commanding(self) -> Commanding:
        return cast("Commanding", self.app)

    def _commands(self) -> Iterator[tuple[Command, str | None]]:
        return ((command, self._commanding.unavailable(command)) for command in COMMANDS if command.id != "palette")

    def _run(self, command: Command) -> Callable[[], object]:
        return partial(self._commanding.run_action, f"command('{command.id}')")

    def _prompt(self, command: Command, title: Content, why: str | None) -> Content:
        keys = " ".join(map(label, self._commanding.keymap[command.id]))
        about = command.help if why is None else f"not now: {display(why)}"
        prompt = Content.assemble(title, "  ", keys, "\n", (about, "dim not bold"))
        return prompt if why is None else prompt.stylize("dim not bold")


class Palette(CommandPalette):
    """Textual's palette with our commands, at the top of the screen, where a small terminal has room for it."""

    DEFAULT_CSS = """
    Palette > Vertical { margin-top: 0; }
    Palette SearchIcon { color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__([CommandProvider], placeholder="Find a command")

    def on_mount(self) -> None:
        """Take a prompt that every terminal can show."""
        self.query_one(SearchIcon).icon = ">"
