"""The state file: who may open it, what is refused and left alone, what a crash leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from core.errors import StateError
from core.model import CommandKind
from core.store import commands, database
from core.store.commands import Target
from core.store.database import Database, file_system_of
from core.store.schema import MIGRATIONS
from tests.core.store.seed import NOW, add_product, poll


async def test_the_state_file_belongs_to_its_owner_alone(db: Database, state: Path) -> None:
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


async def test_what_is_committed_is_on_disk(db: Database) -> None:
    assert await db.value("PRAGMA journal_mode") == "wal"
    assert await db.value("PRAGMA synchronous") == 2
    assert await db.value("PRAGMA foreign_keys") == 1


async def _refused(path: Path, *words: str) -> None:
    before = path.read_bytes()
    for door in (Database.open_writer, Database.open_reader):
        with pytest.raises(StateError) as refusal:
            await door(path)
        for word in (str(path), "nothing was changed", *words):
            assert word in str(refusal.value)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


async def test_a_foreign_sqlite_file_is_left_alone(state: Path) -> None:
    with sqlite3.connect(state) as foreign:
        foreign.execute("CREATE TABLE recipes (name)")
    foreign.close()
    await _refused(state, "not a state file of mirrortui")


async def test_a_file_that_is_no_database_is_left_alone(state: Path) -> None:
    state.write_bytes(b"my thesis, the only copy\n" * 1000)
    await _refused(state, "not a readable state file")


async def test_the_state_of_a_newer_version_is_left_alone(state: Path) -> None:
    async with await Database.open_writer(state) as db:
        await db.run("PRAGMA user_version = 99")
    await _refused(state, "newer", "schema 99", "Upgrade mirrortui")


async def test_the_folder_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="No such file or directory"):
        await Database.open_writer(tmp_path / "nowhere" / "state.db")


async def test_a_directory_is_no_state_file(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be written"):
        await Database.open_writer(tmp_path)


async def test_a_watcher_makes_no_state_file(state: Path) -> None:
    with pytest.raises(StateError, match="there is no state file"):
        await Database.open_reader(state)
    assert not state.exists()


async def test_a_watcher_of_a_file_that_no_engine_has_prepared_is_told_so(state: Path) -> None:
    state.touch()
    with pytest.raises(StateError, match="is empty"):
        await Database.open_reader(state)


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/me/local\\040disk xfs rw 0 0
server:/a /a ext4 rw 0 0
server:/a /a nfs rw 0 0
/dev/sdc1 /b nfs rw 0 0
/dev/sdc1 /b btrfs rw 0 0
me@host:/ /far fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/home", "nfs4"),
        ("/home/me", "nfs4"),
        ("/homeless", "ext4"),
        ("/home/me/local disk/state", "xfs"),
        ("/a/x", "nfs"),
        ("/b/x", "btrfs"),
        ("/far", "fuse.sshfs"),
    ],
)
def test_the_file_system_is_found_in_the_mount_table(target: str, kind: str) -> None:
    assert file_system_of(Path(target), MOUNTS) == kind


def test_an_empty_mount_table_tells_nothing() -> None:
    assert file_system_of(Path("/home"), "") == ""


async def test_a_state_file_on_a_network_file_system_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = file_system_of(state.parent, Path("/proc/self/mounts").read_text())
    monkeypatch.setattr(database, "NETWORK_FILE_SYSTEMS", {here})
    with pytest.raises(StateError, match="network file system"):
        await Database.open_writer(state)
    assert not state.exists()


async def test_a_migration_that_fails_changes_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await Database.open_writer(state) as db:
        product = await add_product(db)
        await poll(db, product, [("a", 1)])
    broken = ("CREATE TABLE novelty (x)", "UPDATE filesets SET name = 'b'", "ALTER TABLE nothing ADD COLUMN y")
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(StateError, match="cannot be prepared"):
        await Database.open_writer(state)
    monkeypatch.undo()
    async with await Database.open_writer(state) as db:
        assert await db.value("PRAGMA user_version") == len(MIGRATIONS)
        assert await db.value("SELECT name FROM filesets") == "a"
        assert await db.value("SELECT count(*) FROM sqlite_master WHERE name = 'novelty'") == 0


async def test_a_migration_that_succeeds_keeps_what_is_there(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await Database.open_writer(state) as db:
        await poll(db, await add_product(db), [("a", 1)])
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, ("CREATE TABLE novelty (x)",)))
    with pytest.raises(StateError, match="start the engine first"):
        await Database.open_reader(state)
    async with await Database.open_writer(state) as db:
        assert await db.value("SELECT count(*) FROM novelty") == 0
        assert await db.value("SELECT name FROM filesets") == "a"


async def test_a_watcher_sees_what_is_committed_and_appends_commands(db: Database, state: Path) -> None:
    async with await Database.open_reader(state) as watcher:
        product = await add_product(db)
        target = Target(filesets=("raw/a",), kind="integrity")
        number = await commands.append(watcher, CommandKind.HOLD, target, NOW)
        await poll(db, product, [("a", 1)])
        assert await watcher.value("SELECT count(*) FROM filesets") == 1
        [command] = await commands.new(db)
        assert (command.id, command.kind, command.target) == (number, CommandKind.HOLD, target)
        assert command.who == commands.operator()
        await commands.finish(db, number, False, "no such fileset", NOW)
        kept = await commands.get(watcher, number)
        assert kept is not None
        assert (kept.state, kept.result) == ("refused", "no such fileset")
        assert await commands.new(db) == []


async def test_a_watcher_waits_for_a_transaction_of_the_engine(db: Database, state: Path) -> None:
    async with await Database.open_reader(state) as watcher:
        async with db.transaction():
            await db.run("INSERT INTO settings VALUES ('a', 'b')")
            wish = asyncio.create_task(commands.append(watcher, CommandKind.PAUSE, Target(), NOW))
            await asyncio.sleep(0.05)
            assert not wish.done()
        assert await wish == 1


async def test_a_block_that_raises_leaves_nothing_and_the_next_one_works(db: Database) -> None:
    async def fail() -> None:
        async with db.transaction():
            await db.run("INSERT INTO settings VALUES ('a', 'b')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with db.transaction():
        await db.run("INSERT INTO settings VALUES ('c', 'd')")
    assert [row["key"] for row in await db.rows("SELECT key FROM settings")] == ["c"]


@pytest.mark.parametrize("turns", range(8))
async def test_a_cancelled_transaction_does_not_block_the_next_one(db: Database, turns: int) -> None:
    async def write() -> None:
        async with db.transaction():
            await db.run("INSERT INTO settings VALUES ('a', 'b')")

    task = asyncio.create_task(write())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with db.transaction():
        await db.run("INSERT INTO settings VALUES ('c', 'd')")
    assert await db.value("SELECT count(*) FROM settings WHERE key = 'c'") == 1


async def test_a_transaction_that_could_not_begin_does_not_block_the_next_one(
    db: Database, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    async with await Database.open_reader(state) as watcher:
        async with db.transaction():
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                await commands.append(watcher, CommandKind.PAUSE, Target(), NOW)
        assert await commands.append(watcher, CommandKind.PAUSE, Target(), NOW) == 1


WRITER = """
import asyncio, sys
from pathlib import Path
from core.store.database import Database
from tests.core.store.seed import add_product, poll

async def main():
    db = await Database.open_writer(Path(sys.argv[1]))
    product = await add_product(db)
    await poll(db, product, [(f"kept{at}", at) for at in range(100)])
    await db.run("PRAGMA cache_size = 10")  # so that pages of the open transaction reach the file
    async with db.transaction():
        await db.run("UPDATE filesets SET state = 'cancelled'")
        await db.run("UPDATE products SET description = hex(zeroblob(1000000)), cursor = 'lost'")
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_writer_killed_in_the_middle_leaves_the_last_commit(state: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(state), stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    async with await Database.open_writer(state) as db:
        assert await db.value("PRAGMA integrity_check") == "ok"
        assert [tuple(row) for row in await db.rows("SELECT DISTINCT state FROM filesets")] == [("discovered",)]
        assert await db.value("SELECT n FROM counters WHERE state = 'discovered'") == 100
        assert await db.value("SELECT cursor FROM products") == "kept99"


async def test_a_wish_of_a_newer_version_is_read_and_can_be_answered(db: Database) -> None:
    number = await commands.append(db, CommandKind.HOLD, Target(filesets=("a",)), NOW)
    await db.run("""UPDATE commands SET kind = 'teleport', target = '{"to": "moon"}'""")
    [command] = await commands.new(db)
    assert (command.id, command.kind, command.target) == (number, None, Target())
    await commands.finish(db, number, False, "not known", NOW)
    assert await commands.new(db) == []


async def test_a_query_leaves_no_statement_open(db: Database, state: Path) -> None:
    async with await Database.open_reader(state) as watcher:
        await db.run_many("INSERT INTO settings VALUES (?, 'x')", [(str(number),) for number in range(500)])
        assert await watcher.value("SELECT key FROM settings") is not None
        await db.run("INSERT INTO settings VALUES ('late', 'x')")
        assert await watcher.value("SELECT count(*) FROM settings") == 501
        await commands.append(watcher, CommandKind.HOLD, Target(), NOW)
