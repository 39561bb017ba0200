"""What the commands of the table do: those that look and move, here; those that write, in tui.orders."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from core.text import display
from core.units import counted
from tui.clipboard import likely_taken
from tui.commands import PANES, Command
from tui.hits import Hits
from tui.keymap import label
from tui.orders import Orders
from tui.palette import Palette
from tui.panes import failed, log
from tui.screens.copy import CopyScreen
from tui.screens.help import HelpScreen
from tui.screens.lists import PROBLEMS
from tui.screens.theme import ThemeScreen

if TYPE_CHECKING:
    from tui.app import Dashboard
    from tui.screens.main import MainScreen


WITHOUT_ROW = frozenset({"pause_all", "limits", "engine", "retry_all"})
"""What writes, and is not about the row under the cursor."""


class Actions:
    """Carries out commands on the main screen; `run` by id."""

    def __init__(self, app: Dashboard, main: MainScreen):
        self._app = app
        self._main = main
        self._hits = Hits(app, main)
        self._orders = Orders(app, main, self._hits)
        self._copied = ""

    def unavailable(self, command: Command) -> str | None:
        """Return why a command can't be given now, or None."""
        main = self._main
        if command.writes and main.read_only:
            return "this dashboard is read-only"
        if main.pane not in command.panes:
            return f"not in this pane; it works in {', '.join(p for p in PANES if p in command.panes)}"
        if command.id == "files" and not self._hits.a_fileset():
            return "put the cursor on a fileset"
        if command.id == "errors" and main.subject is None:
            return "put the cursor on a product or a fileset"
        if command.id == "engine":
            if main.snapshot.broken:
                return "no engine can use the state file as it is"
            startable = main.snapshot.engine is None or main.snapshot.outdated
            return None if startable else "an engine runs already"
        if command.id == "accept" and not self._hits.acceptable():
            return "only files in quarantine that came twice with the same wrong digest can be accepted"
        if command.writes and command.id not in {"poll", "pause_all", "limits"} and not self._hits.some():
            return "there is no row under the cursor"
        return None

    async def run(self, command: Command) -> None:
        """Carry out one command; not on a row that has just come under the cursor in the place of another.

        From then on the cursor stays on its row, also if that was in vain: the next key is meant for it, too.
        """
        if command.writes and command.id not in WITHOUT_ROW:
            self._main.tables[self._main.source].hold()
            if self._hits.uncertain():
                self._app.refuse(command, "the row has just changed; move, or press again in a moment")
                return
        name = f"do_{command.id}"
        for part in (self._orders, self):
            if hasattr(part, name):
                await getattr(part, name)()
                return
        await self._move(command.id)

    # The view.

    async def do_mark(self) -> None:
        """Mark the row, and go on to the next."""
        table = self._main.table
        if table is not None:
            table.toggle_mark()
            table.action_cursor_down()

    async def do_mark_all(self) -> None:
        """Mark all rows, or none if all are marked."""
        table = self._main.table
        if table is not None:
            if len(table.marked_in_order()) == len(table.keys):
                table.unmark_shown()
            else:
                table.mark(table.keys)

    async def do_filter(self) -> None:
        """Ask for a text."""
        self._main.edit_filter()

    async def do_problems(self) -> None:
        """Show problems only, or all; where that is not to be seen, tell it."""
        main = self._main
        main.preferences.problems = not main.preferences.problems
        main.redraw()
        if main.pane not in PROBLEMS:
            self._app.tell(f"the lists show {'what needs attention only' if main.preferences.problems else 'all'}")

    async def do_available(self) -> None:
        """Show or hide products that nobody mirrors."""
        self._main.preferences.available = not self._main.preferences.available
        self._main.redraw()

    async def do_sort(self) -> None:
        """Sort by the next column."""
        self._main.lists.sort_by_next(self._main.pane)
        self._main.redraw()

    async def do_reverse(self) -> None:
        """Turn the order round."""
        self._main.lists.turn_round(self._main.pane)
        self._main.redraw()

    async def do_freeze(self) -> None:
        """Keep the order of the rows, or let it go."""
        table = self._main.table
        if table is not None:
            table.frozen = not table.frozen
            self._main.redraw()

    async def do_follow(self) -> None:
        """Stay at the newest line, or not."""
        self._main.lists.following = not self._main.lists.following
        self._main.redraw()

    async def do_details(self) -> None:
        """Show the details of the row."""
        self._main.go("details")

    async def do_overview(self) -> None:
        """Show the first tab of the details."""
        self._main.choose_tab("overview")

    async def do_files(self) -> None:
        """Show the files."""
        self._main.choose_tab("files")

    async def do_errors(self) -> None:
        """Show the failed tries."""
        self._main.choose_tab("errors")

    async def do_copy(self) -> None:
        """Copy what the row says."""
        text = "\n".join(await self._texts())
        if not text:
            return
        self._app.copy_to_clipboard(text)
        if self._copied != text and likely_taken(os.environ):
            key = label(self._main.keymap["copy"][0])
            self._app.tell(f"copied: {counted(len(text.splitlines()), 'line')}; {key} again shows what")
        else:
            await self._app.push_screen(CopyScreen(text))
        self._copied = text

    async def _texts(self) -> list[str]:
        main = self._main
        if main.pane == "log":
            keys = set(self._hits.keys())
            return [f"{log.where(line)} {display(line.message)}" for line in main.snapshot.events if line.id in keys]
        if main.pane == "failed":
            rows = self._hits.keys()
            told = [(failed.of_group(one), one.kind, one.detail) for one in main.lists.groups(rows)]
            told += [(failed.what(line), line.kind, line.detail) for line in main.lists.failure_lines(rows)]
            return [f"{what}: {display(kind)}: {display(detail)}" for what, kind, detail in told]
        return [display(hit.name) for hit in await self._hits.found()]

    async def do_back(self) -> None:
        """Take back the filter, the marks, or go back to the list."""
        main = self._main
        table = main.tables.get(main.pane)
        if main.pane == "details":
            main.go(main.source)
        elif main.preferences.filters.pop(main.pane, None):
            main.redraw()
        elif table is not None and table.marked:
            table.clear_marks()
        elif main.pane == "failed" and (group := main.lists.group_at_cursor()) and group.key in main.lists.opened:
            main.open_group(group, False)
        elif main.preferences.problems:
            await self.do_problems()

    # Moving, and the program.

    async def _move(self, id: str) -> None:
        main = self._main
        if id.startswith("go_"):
            main.go(id.removeprefix("go_"))
        elif id in {"next_pane", "previous_pane"}:
            step = 1 if id == "next_pane" else -1
            main.go(PANES[(PANES.index(main.pane) + step) % len(PANES)])
        elif main.table is not None:
            steps = {"down": "cursor_down", "up": "cursor_up", "first": "first", "last": "last"}
            getattr(main.table, f"action_{steps[id]}")()
        else:
            text = main.details.text
            moves: dict[str, Callable[[], None]] = {
                "down": partial(text.action_scroll_lines, 1),
                "up": partial(text.action_scroll_lines, -1),
                "first": text.action_to_first,
                "last": text.action_to_last,
            }
            moves[id]()

    async def do_help(self) -> None:
        """Show all commands."""
        await self._app.push_screen(HelpScreen(self._main.keymap))

    async def do_palette(self) -> None:
        """Find a command by name."""
        await self._app.push_screen(Palette())

    async def do_theme(self) -> None:
        """Choose the colours."""
        chosen = await self._app.asked(ThemeScreen(self._app.theme))
        self._main.preferences.theme = chosen or self._main.preferences.theme

    async def do_redraw(self) -> None:
        """Paint anew."""
        self._app.paint_anew()

    async def do_suspend(self) -> None:
        """Go to the background."""
        self._app.action_suspend_process()

    async def do_quit(self) -> None:
        """Leave."""
        await self._app.leave()
