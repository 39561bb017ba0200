"""The dashboard: wiring only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from textual import on
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from core.config import Config, find_config, load_config
from core.engine.watchers import Watching
from core.errors import ExitCode, StateError
from core.model import CommandKind
from core.store.commands import Target
from core.store.database import Database
from core.text import display
from tui import attach, preferences, themes
from tui.actions import Actions
from tui.attach import AttachError, Engine, How
from tui.bridge import Bridge
from tui.commands import Command, Keymap, by_id
from tui.followed import Followed
from tui.hangup import let_go_of_terminal
from tui.keymap import effective_keys
from tui.messages import Asked, Pictured
from tui.screens.dialog import Dialog
from tui.screens.main import MainScreen
from tui.screens.quit import QuitScreen
from tui.snapshot import Snapshot
from tui.trouble import told
from tui.typed import InTurn
from tui.wishes import Wishes

AnswerT = TypeVar("AnswerT")

STOP_COMMANDS: dict[str, How] = {"drain": "drain", "stop": "now"}
READY_SECONDS, READY_STEPS = 1.0, 100
COMMAND_SECONDS = 5.0
"""How long a key waits for the command before it."""
PARTING_SECONDS = 1.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Dashboard(InTurn[ExitCode]):
    """Shows one state file, and takes an operator's commands for its engine.

    `detached`: the operator has left it, and wants the engine to go on.
    """

    CSS_PATH = "app.tcss"
    TITLE = "mirrortui"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-short"), (32, "-tall")]  # noqa: RUF012
    ESCAPE_TO_MINIMIZE = False
    NOTIFICATION_TIMEOUT = 6

    def __init__(
        self,
        config: Config,
        config_file: Path,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ):
        # Textual turns colours into greys under NO_COLOR, unless they are the terminal's own: then it leaves them out.
        super().__init__(ansi_color="NO_COLOR" in os.environ or None)
        self.config = config
        self.config_file = config_file
        self.preferences_file = preferences.path_for(config.engine.state)
        self.preferences = preferences.load(self.preferences_file)
        self.keymap: Keymap = effective_keys(config.dashboard.keys)
        self.main = MainScreen(config, self.preferences, self.keymap, self.unavailable, read_only=read_only)
        self.actions = Actions(self, self.main)
        self.bridge = Bridge(config.engine.state, self._picture, clock, ticks)
        self.wishes = Wishes(config.engine.state, self.tell)
        self.followed = Followed(config, config_file, self._reconfigure, self.tell)
        self._settled = asyncio.Event()
        self._settled.set()
        self._refused = False
        self.detached = False

    # Life.

    def get_default_screen(self) -> Screen[Any]:
        """Return the one screen there is; all else lies upon it."""
        return self.main

    def on_mount(self) -> None:
        """Take over signals, choose the theme, begin to read, and see that there is an engine."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.exit, ExitCode.OK)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        for theme in themes.OURS:
            self.register_theme(theme)
        self.theme = self._theme()
        self.app_resume_signal.subscribe(self, self.paint_anew)
        self._begin(self.bridge.run(), "bridge")
        self._begin(self.followed.run(), "configuration")
        if not self.main.read_only and attach.find(self.config.engine.state) is None:
            self.start_engine()

    def paint_anew(self, _: object = None) -> None:
        """Paint all of the screen: something else has written there."""
        self.refresh(repaint=True, layout=True)

    def _reconfigure(self, config: Config) -> None:
        self.config = config
        self.main.reconfigure(config)

    def _theme(self) -> str:
        for name in (self.preferences.theme, self.config.dashboard.theme):
            if name in self.available_themes:
                return name
        return self.theme

    async def on_unmount(self) -> None:
        """Keep what was set on the screen, and let work beside it end: it has connections to close."""
        preferences.save(self.preferences_file, self.preferences)
        self.workers.cancel_all()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTING_SECONDS):
                await asyncio.gather(*(worker.wait() for worker in self.workers), return_exceptions=True)

    def _hung_up(self) -> None:
        """The terminal is gone: do as configured, and go."""
        let_go_of_terminal()
        how = STOP_COMMANDS.get(self.config.dashboard.on_hangup)
        self._begin(self._end_then_exit(how), "leaving")

    # Snapshots.

    def _picture(self, snapshot: Snapshot) -> None:
        self.post_message(Pictured(snapshot))

    @on(Pictured)
    def _pictured(self, event: Pictured) -> None:
        self.main.show(event.snapshot)

    @on(Asked)
    def _asked(self, event: Asked) -> None:
        self.bridge.want(event.view)

    # Commands.

    def unavailable(self, command: Command) -> str | None:
        """Return why `command` can't be given now, or None."""
        return self.actions.unavailable(command)

    async def action_command(self, id: str) -> None:
        """Carry out a command of the table, or say why that can't be done now."""
        command = by_id(id)
        reason = self.unavailable(command)
        if reason is None:
            self._settled = asyncio.Event()
            self._begin(self._carry_out(command, self._settled), "command")
        else:
            self.refuse(command, reason)

    async def _carry_out(self, command: Command, settled: asyncio.Event) -> None:
        try:
            await self.actions.run(command)
        finally:
            settled.set()

    async def ready(self) -> None:
        """Let a key wait until the command before it is done, or asks something.

        For a moment, one that answers waits until it can be heard, and one that follows a filter until the list is
        filtered: it would hit another row.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), COMMAND_SECONDS)
        self._forget_refusal()
        for _ in range(READY_STEPS):
            if self._hears:
                return
            await asyncio.sleep(READY_SECONDS / READY_STEPS)

    @property
    def _hears(self) -> bool:
        if isinstance(self.screen, Dialog):
            return self.screen.focused is not None
        return self.screen is not self.main or self.main.filtered

    def wish(self, kind: CommandKind, target: Target) -> None:
        """Send a wish to the engine; its result is told when it is there."""
        self._begin(self.wishes.send(kind, target), "wishes")
        self.bridge.hurry()
        self.main.lists.commanded()

    async def reading(self, read: Callable[[Database], Awaitable[AnswerT]]) -> AnswerT:
        """Return what `read` finds in the state: also what is not on the screen. Raises StateError."""
        async with await Database.open_reader(self.config.engine.state) as db:
            return await read(db)

    async def asked(self, dialog: Dialog[AnswerT]) -> AnswerT | None:
        """Show a dialog, and nothing upon it; return its answer, None if the operator stayed."""
        self.clear_notifications()
        answer = self.push_screen(dialog, wait_for_dismiss=True)
        self._settled.set()
        return await asyncio.shield(answer)

    def on_mouse_down(self) -> None:
        """Take a click for a key: what was refused before it is a thing of the past."""
        self._forget_refusal()

    def refuse(self, command: Command, why: str) -> None:
        """Say why a command is not carried out, until the next key or click at the latest."""
        self.tell(f"{command.title}: {why}", "warning")
        self._refused = True

    def _forget_refusal(self) -> None:
        if self._refused:
            self._refused = False
            self.main.footer.forget()
            self.clear_notifications()

    def tell(self, words: str, severity: str = "information", seconds: float = NOTIFICATION_TIMEOUT) -> None:
        """Show a line for some seconds, in the place of the one before: in the footer.

        There what is only to be known is shortened if need be. Warnings and errors that the footer has no room for
        stand beside the log, but not upon a dialog.
        """
        self._refused = False
        self.clear_notifications()
        known = severity if severity in {"information", "warning", "error"} else "information"
        line, beneath = display(words, 500), isinstance(self.screen, Dialog)
        if beneath or (self.screen is self.main and (severity == "information" or self.main.footer.has_room(line))):
            self.main.footer.tell(line, known, seconds)
        else:
            self.main.footer.forget()
            self.notify(line, severity=known, timeout=seconds, markup=False)  # type: ignore[arg-type]

    # The engine.

    def start_engine(self, start: Callable[[Path], Engine] = attach.start) -> None:
        """Start an engine in a process of its own, unless one is starting already."""
        if not self.main.starting:
            self.main.starting = True
            self._begin(self._start_engine(start), "engine")

    async def _start_engine(self, start: Callable[[Path], Engine]) -> None:
        try:
            await asyncio.to_thread(start, self.config_file)
        except (AttachError, StateError) as error:
            if not self.main.snapshot.broken:  # which stands where the products would
                self.notify(str(error), title="no engine could be started", severity="error", timeout=60, markup=False)
        finally:
            self.main.starting = False
            self.bridge.look()

    # Leaving.

    async def leave(self) -> None:
        """Leave; while there is work, ask what becomes of the engine."""
        snapshot = self.main.snapshot
        overview = snapshot.overview
        active = sum(line.active for line in overview.products) if overview else 0
        waiting = overview.left_files if overview else 0
        if snapshot.engine is None or not (active or waiting) or self.main.read_only:
            self.exit(ExitCode.OK)
            return
        choice = await self.asked(
            QuitScreen(active, own=snapshot.engine.own, waits=overview.queued_filesets if overview else 0)
        )
        if choice is not None:
            self.detached = choice == "detach"
            await self._end_then_exit(STOP_COMMANDS.get(choice))

    async def _end_then_exit(self, how: How | None) -> None:
        if how is not None and attach.find(self.config.engine.state) is not None:
            await attach.end(self.config.engine.state, how)
        self.exit(ExitCode.OK)

    # Work beside the screen.

    def _begin(self, work: Coroutine[Any, Any, None], group: str) -> None:
        self.run_worker(work, group=group, exit_on_error=False)

    @on(Worker.StateChanged)
    def _worked(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR and isinstance(event.worker.error, Exception):
            self.tell(told(event.worker.error)[1], "error")


def run(config_file: Path | None, *, read_only: bool = False, part: Callable[[str], None] | None = None) -> ExitCode:
    """Show the dashboard until the operator leaves; to one who leaves an engine behind `part` tells it.

    Raises ConfigError.
    """
    found = find_config(config_file)
    config = load_config(found, with_secrets=False)
    config.engine.state.parent.mkdir(parents=True, exist_ok=True)
    with Watching(config.engine.state):
        app = Dashboard(config, found, read_only=read_only or config.dashboard.read_only)
        code = app.run() or (ExitCode.INTERNAL if app.return_code else ExitCode.OK)
        if part is not None and app.detached and (engine := attach.find(config.engine.state)) is not None:
            pid = "" if engine.pid is None else f" (pid {engine.pid})"
            part(f"the engine goes on{pid}; `mirrortui` shows it again")
        return code
