"""`demo`: an embedded Data Store with synthetic data, and a mirror of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from core.config.loading import FILE_NAME
from core.demo.server import DemoStore
from core.errors import ConfigError, ExitCode, StateError
from core.text import display
from tui import attach
from tui.headless import work

GROWTH_SECONDS = 4.0
DRAIN_SECONDS = 2.0
END_SECONDS = 3.0
LOOK_SECONDS = 0.05
PACE = 20_000_000
"""Bytes a second for each connection of the live demo, so that there is something to watch."""

STATE_NAME = "mirror.db"
MARK = "# Written by `mirrortui demo`, which writes it anew each time."
CONFIGURATION = f"""\
{MARK}

[engine]
state = "{STATE_NAME}"

[[mirror]]
name = "demo"
protocol = "ipp"
url = "{{url}}"
destination = "data"
hidden_products = ["{{hidden}}"]
poll_interval = "5s"
"""


Dashboard = Callable[[Path], ExitCode]
"""Shows the site of a configuration file, with an engine that it starts, until its user quits."""


def run(*, once: bool, folder: Path | None, dashboard: Dashboard | None = None) -> ExitCode:
    """Mirror the demo's Data Store into `folder`, or into a temporary one that is removed afterwards.

    At a terminal a `dashboard` shows it, unless it is done but `once`. Raises ConfigError if `folder` can't be used,
    or holds a configuration that the demo did not write.
    """
    if folder is not None:
        _demand_own(folder)
        return _run(once, folder, dashboard)
    with tempfile.TemporaryDirectory(prefix="mirrortui-demo-") as temporary:
        return _run(once, Path(temporary), dashboard)


def _demand_own(folder: Path) -> None:
    file = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        first = file.read_bytes().partition(b"\n")[0]
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{display(error.filename)}: cannot be used for the demo: {error.strerror}") from None
    if first.decode("utf-8", "replace").rstrip() != MARK:
        raise ConfigError(
            f"{display(file)}: a configuration that the demo did not write, and does not overwrite; "
            "choose another --folder, or move the file away"
        )


def _run(once: bool, folder: Path, dashboard: Dashboard | None) -> ExitCode:
    if dashboard is not None and not once and sys.stdin.isatty() and sys.stdout.isatty():
        return _show(folder, dashboard)
    store = DemoStore() if once else DemoStore(growth=GROWTH_SECONDS, flaky=True, pace=PACE)
    with store:
        file = _configure(folder, store.url, store.hidden_product)
        click.echo(f"Data Store at {store.url}, mirrored into {folder / 'data'}")
        if once:
            return work.once(file, work.Options())
        click.echo(f"look on from another terminal: mirrortui --config {file} status   (Ctrl-C ends the demo)")
        return work.serve(file, verbose=False)


def _configure(folder: Path, url: str, hidden: str) -> Path:
    file = folder / FILE_NAME
    file.write_text(CONFIGURATION.format(url=url, hidden=hidden), encoding="utf-8")
    return file


def _show(folder: Path, dashboard: Dashboard) -> ExitCode:
    """Show the demo; when its user quits, nothing of it goes on."""
    with _store() as (url, hidden):
        try:
            return dashboard(_configure(folder, url, hidden))
        finally:
            asyncio.run(_end_engine((folder / STATE_NAME).absolute()))


@contextmanager
def _store() -> Iterator[tuple[str, str]]:
    """Run the Data Store in a process of its own, for the screen's sake; yield its URL and its hidden product."""
    command = [sys.executable, "-m", "core.demo", str(GROWTH_SECONDS), str(PACE)]
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=attach.PACKAGES,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        with ours, ours.makefile() as told:
            found = json.loads(told.readline())
            yield found["url"], found["hidden"]
    finally:
        process.wait()


async def _end_engine(state: Path) -> None:
    """End the engine that a dashboard has started for the demo: in order if there is time, and by all means."""
    engine = attach.find(state)
    if engine is None or engine.service:
        return
    steps: tuple[tuple[attach.How, float], ...] = (("drain", DRAIN_SECONDS), ("now", END_SECONDS))
    for how, seconds in steps:
        with suppress(StateError, TimeoutError):
            async with asyncio.timeout(seconds):
                await attach.end(state, how)
                await _gone(state)
    if attach.find(state) == engine and engine.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(engine.pid, signal.SIGKILL)
        await _gone(state)


async def _gone(state: Path) -> None:
    while attach.find(state) is not None:  # noqa: ASYNC110 - another process tells no event of ours
        await asyncio.sleep(LOOK_SECONDS)
