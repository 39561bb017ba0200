"""A service under test: `mirrortui run` in the background, its state seen from outside, and wishes written to it."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from core.model import CommandKind
from core.store import commands
from core.store.commands import Target
from core.store.database import Database
from tests.whole.site import Site

PATIENCE = 30.0


def wait_until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


@contextmanager
def serving(site: Site) -> Iterator[subprocess.Popen[str]]:
    """Run a service for the time of the block, at whose end it has to live, and to end well when it is told to."""
    process = site.start("run")
    try:
        yield process
        assert process.poll() is None, site.log()
        process.terminate()
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, site.log()


def seen(site: Site, sql: str) -> list[tuple[Any, ...]]:
    """Return rows of the state as another process sees them; none before there is a state."""
    try:
        with closing(sqlite3.connect(f"file:{site.folder / 'mirror.db'}?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()
    except sqlite3.OperationalError:
        return []


def states(site: Site) -> dict[str, str]:
    """Return the state of each current fileset by name."""
    return dict(seen(site, "SELECT name, state FROM filesets ORDER BY id"))


async def write_wishes(site: Site, *wishes: tuple[CommandKind, Target], pause: float = 0.0) -> None:
    """Append commands as another process does, each in a commit of its own."""
    async with await Database.open_reader(site.folder / "mirror.db") as db:
        for kind, target in wishes:
            await commands.append(db, kind, target, time.time())
            await asyncio.sleep(pause)


def wish(site: Site, kind: CommandKind, *filesets: str, product: str | None = None) -> None:
    """Append one command, and wait until it is carried out."""
    asyncio.run(write_wishes(site, (kind, Target(filesets=filesets, product=product))))
    wait_until(lambda: not seen(site, "SELECT 1 FROM commands WHERE state = 'new'"), f"{kind} to be seen to")
    assert seen(site, "SELECT state FROM commands ORDER BY id DESC LIMIT 1") == [("done",)]
