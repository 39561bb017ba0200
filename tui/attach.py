"""The engine as a dashboard sees it: a process of its own, found by its lease, started and ended from here."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tui
from core.config import find_config, load_config
from core.engine import lease
from core.errors import ExitCode, MirrorError
from core.model import CommandKind
from core.store import commands
from core.store.commands import Target
from core.store.database import Database
from core.store.identity import OtherVersion
from core.text import display

START_SECONDS = 30.0
"""How long a new engine may take to be ready; one that holds the lease by then may take longer."""
END_SECONDS = 5.0
NOTICE_SECONDS = 5.0
LOOK_SECONDS = 0.05

KEPT_BYTES = 64 * 1024
KEPT_LINES = 8
PACKAGES = Path(tui.__file__).parents[1]
"""Where Python finds this very program, installed or not: an engine is of the same version as its dashboard."""


class AttachError(MirrorError):
    """An engine could not be started; the text is what it had to say."""

    def __init__(self, text: str, exit_code: ExitCode = ExitCode.INTERNAL):
        super().__init__(text)
        self.exit_code = exit_code


How = Literal["drain", "now"]
"""How an engine is to end: transfers under way are finished first, or stopped where they are."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine that holds the lease of a state file; pid, host and since (Unix time) None: it didn't tell."""

    pid: int | None
    host: str | None
    since: float | None
    own: bool
    """This process started it."""
    service: bool
    """It doesn't end because nobody watches it."""


def find(state: Path) -> Engine | None:
    """Return the engine that is at work on `state`; None if there is none. Costs a few system calls."""
    holder = lease.find(state)
    if holder is None:
        return None
    own = holder.starter == os.getpid() and holder.host == socket.gethostname()
    return Engine(holder.pid, holder.host, holder.since, own, service=holder.starter is None)


def start(config_file: Path | None) -> Engine:
    """Start an engine in a session of its own, and return it once it is at work; it outlives this process.

    If another one takes the lease meanwhile, that one is returned. Blocks for up to START_SECONDS + END_SECONDS: not
    for an event loop. Raises ConfigError, or AttachError with the last lines of what the process wrote to stderr.
    """
    file = find_config(config_file).absolute()
    state = load_config(file, with_secrets=False).engine.state
    process, written = _spawn(file)
    engine = find(state)
    if engine is not None and engine.pid == process.pid:
        threading.Thread(target=process.wait, name="reaps the engine", daemon=True).start()
        return engine
    code = _ended(process)
    if code == ExitCode.LEASE and (engine := find(state)) is not None:
        return engine
    raise AttachError(_last_lines(written, code), _exit_code(code))


def replace(config_file: Path | None) -> Engine:
    """End the engine at work, which is of an older version, and start one. Blocks, and raises, as `start` does."""
    state = load_config(find_config(config_file), with_secrets=False).engine.state
    lease.signal_end(state, at_once=True)
    until = time.monotonic() + START_SECONDS
    while (engine := find(state)) is not None:
        if time.monotonic() > until:
            raise AttachError(f"engine {engine.pid} has not ended within {START_SECONDS:.0f} s; it may need more time")
        time.sleep(LOOK_SECONDS)
    return start(config_file)


def _spawn(config_file: Path) -> tuple[subprocess.Popen[bytes], bytes]:
    """Start an engine; return it, and the end of what it wrote to stderr, when it is at work or has failed."""
    command = [sys.executable, "-m", "tui", "--config", str(config_file), "run", "--while-watched"]
    reading, writing = os.pipe()
    try:
        try:
            nowhere = subprocess.DEVNULL
            process = subprocess.Popen(  # noqa: S603 - our own program
                command, cwd=PACKAGES, stdin=nowhere, stdout=nowhere, stderr=writing, start_new_session=True
            )
        except OSError as error:
            raise AttachError(f"no engine can be started: {display(error)}") from error
        finally:
            os.close(writing)
        return process, _read_until_closed(reading, time.monotonic() + START_SECONDS)
    finally:
        os.close(reading)


def _read_until_closed(pipe: int, until: float) -> bytes:
    """Return the end of what comes through `pipe` until all its writers have closed it, or time is up."""
    kept = b""
    ready = select.poll()
    ready.register(pipe, select.POLLIN)
    while (left := until - time.monotonic()) > 0 and ready.poll(left * 1000):
        piece = os.read(pipe, KEPT_BYTES)
        if not piece:
            break
        kept = (kept + piece)[-KEPT_BYTES:]
    return kept


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit code of a process that didn't become the engine; None if it had to be ended for being slow."""
    try:
        return process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _last_lines(written: bytes, code: int | None) -> str:
    lines = [line.removeprefix("mirrortui: ") for line in written.decode("utf-8", "replace").splitlines()]
    told = "\n".join(display(line) for line in lines[-KEPT_LINES:] if line)
    if code is None:
        return f"the engine did not start within {START_SECONDS:.0f} s" + (f": {told}" if told else "")
    return told or f"the engine ended with code {code} as it started"


def _exit_code(code: int | None) -> ExitCode:
    return ExitCode(code) if code and code in {*ExitCode} else ExitCode.INTERNAL


async def end(state: Path, how: How) -> bool:
    """Ask the engine of `state` to end; return whether it took notice, or is gone, within NOTICE_SECONDS.

    An engine of another version is told by a signal. Raises StateError if there is an engine, but no state that can be
    read yet.
    """
    if not lease.held(state):
        return True
    try:
        return await _ask_to_end(state, how)
    except OtherVersion:
        lease.signal_end(state, at_once=how == "now")
        return True


async def _ask_to_end(state: Path, how: How) -> bool:
    async with await Database.open_reader(state) as db:
        number = await commands.append(db, CommandKind.STOP, Target(value=how), time.time())
        until = time.monotonic() + NOTICE_SECONDS
        while time.monotonic() < until:
            command = await commands.get(db, number)
            if command is None or command.state != "new" or not lease.held(state):
                return True
            await asyncio.sleep(LOOK_SECONDS)
    return False
