"""The machine was started anew: what was staged may be gone, and is proven before it is published."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.config import Config
from core.model import CommandKind
from tests.core.engine.operator import operating
from tests.servers.datastore import DataStore, Fault

STAGED = "SELECT count(*) FROM files WHERE state = 'staged'"


def reboot(config: Config) -> None:
    """Leave zeros of what was staged and never flushed, in a file of the right size."""
    with closing(sqlite3.connect(config.engine.state)) as db, db:
        db.execute("UPDATE settings SET value = 'another' WHERE key = 'boot'")
    staging = Path(config.mirrors[0].destination) / ".mirrortui" / "staging"
    for path in staging.rglob("*.dat"):
        path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("engines_between", [0, 1])
async def test_what_was_staged_before_a_reboot_is_proven_however_late(
    datastore: DataStore, config: Config, engines_between: int
) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"the right bytes", "b.dat": b"more of them"})
    datastore.fault("p/f/b.dat", Fault.status(404), times=None)
    async with operating(config) as operator:
        await operator.until_seen(STAGED, (1,))
        await operator.until_seen("SELECT trouble FROM filesets", ("failed",))
        await operator.done(CommandKind.HOLD, "p/f")
    reboot(config)
    for _ in range(engines_between):
        async with operating(config) as operator:
            await operator.done(CommandKind.POLL)
    datastore.heal()
    async with operating(config) as operator:
        await operator.done(CommandKind.RELEASE, "p/f")
        await operator.done(CommandKind.RETRY, "p/f")
        await operator.until_state("published", "f")
    assert (Path(config.mirrors[0].destination) / "p/f/a.dat").read_bytes() == b"the right bytes"


async def test_what_is_in_staging_and_right_is_not_fetched_again(datastore: DataStore, config: Config) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"the right bytes", "b.dat": b"more of them"})
    datastore.fault("p/f/b.dat", Fault.status(404), times=None)
    async with operating(config) as operator:
        await operator.until_seen(STAGED, (1,))
        await operator.until_seen("SELECT trouble FROM filesets", ("failed",))
    with closing(sqlite3.connect(config.engine.state)) as db, db:
        db.execute("UPDATE settings SET value = 'another' WHERE key = 'boot'")
    datastore.heal()
    async with operating(config) as operator:
        await operator.done(CommandKind.RETRY, "p/f")
        await operator.until_state("published", "f")
    assert len(datastore.requested("p/f/a.dat")) == 1
