"""Filesets come into the schedule, and may be taken away on the way there."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.config import Config
from core.destinations.posix import PosixDestination
from core.model import CommandKind
from core.store import commands
from core.store.commands import Target
from tests.core.engine.operator import operating
from tests.servers.datastore import DataStore, ServedFile

MANY = 60
COUNTED = "SELECT state, trouble, count(*) FROM filesets GROUP BY 1, 2"


async def test_filesets_can_be_taken_away_while_they_are_brought_back(datastore: DataStore, config: Config) -> None:
    datastore.add_product("p")
    for number in range(MANY):
        missing = ServedFile(b"missing", served=False)
        datastore.add_fileset("p", f"f{number}", {"a.dat": b"here", "b.dat": missing})
    async with operating(config) as operator:
        await operator.until_seen(COUNTED, ("transferring", "failed", MANY))
        for kind in (CommandKind.PAUSE, CommandKind.RESUME, CommandKind.CANCEL):
            await commands.append(operator.db, kind, Target(), time.time())
        await operator.until_seen(COUNTED, ("cancelled", "", MANY))
        assert await operator.done(CommandKind.REQUEUE) == f"{MANY} filesets"
        await operator.until_seen(COUNTED, ("transferring", "failed", MANY))


async def test_what_is_taken_away_while_it_is_published_leaves_nothing_behind(
    datastore: DataStore, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"here"})
    begun, go = threading.Event(), threading.Event()
    done = []
    seal, drop = PosixDestination.seal, PosixDestination.drop

    def late(*args: Any) -> Any:
        begun.set()
        go.wait()
        sealed = seal(*args)
        done.append("sealed")
        return sealed

    def dropped(*args: Any) -> None:
        done.append("dropped")
        drop(*args)

    monkeypatch.setattr(PosixDestination, "seal", late)
    monkeypatch.setattr(PosixDestination, "drop", dropped)
    async with operating(config) as operator:

        async def sealing() -> bool:
            return begun.is_set()

        await operator.until(sealing)
        await commands.append(operator.db, CommandKind.CANCEL, Target(), time.time())
        await operator.until_seen(COUNTED, ("cancelled", "", 1))
        go.set()
        await operator.until_seen("SELECT state FROM commands", ("done",))
    assert done == ["sealed", "dropped"]
    with closing(sqlite3.connect(config.engine.state)) as db:
        assert db.execute("SELECT message FROM events WHERE level = 'error'").fetchall() == []
    assert not list(Path(config.mirrors[0].destination).glob(".mirrortui/staging/*/*"))
