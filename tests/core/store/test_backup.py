"""A copy of the state file: of one moment, whatever is written meanwhile, or none at all."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import ConfigError, StateError, Stopped
from core.store import backup
from core.store.backup import Backup
from core.store.database import Database
from tests.core.store.seed import NOW, add_product, poll

ROWS = 20_000


@pytest.fixture
async def filled(state: Path) -> Path:
    """Return a state file of some hundred pages."""
    async with await Database.open_writer(state) as db:
        await poll(db, await add_product(db), [(f"fileset.{number}", number) for number in range(ROWS // 10)])
    return state


def copied(state: Path, target: Path, *, overwrite: bool = False) -> Path:
    return Backup(state, target, overwrite=overwrite, now=NOW, apart={}).run()


def values(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_copy_is_one_file_for_its_owner_alone_that_any_door_opens(filled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    copy = copied(filled, folder / "a.db")
    assert names(folder) == {"a.db"}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert values(copy, "PRAGMA integrity_check") == [("ok",)]
    for door in (Database.open_reader, Database.open_writer):
        async with await door(copy) as db:
            assert await db.value("SELECT count(*) FROM filesets") == ROWS // 10


async def test_a_folder_gets_a_file_that_tells_the_time(filled: Path, tmp_path: Path) -> None:
    copy = copied(filled, tmp_path)
    assert copy.parent == tmp_path
    assert copy.name.startswith("mirror-20")
    assert copy.name.endswith("Z.db")


class _Disturbed(Backup):
    """Is written to between any two of its steps: pairs of rows that belong together."""

    def __init__(self, state: Path, target: Path):
        self.commits = 0
        self._writer = sqlite3.connect(state, isolation_level=None)
        for table in ("left", "right"):
            self._writer.execute(f'CREATE TABLE "{table}" (number, filling)')
        super().__init__(state, target, overwrite=False, now=NOW, apart={})

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "copied" and value:
            self.commit()

    def commit(self) -> None:
        self.commits += 1
        assert self.commits < 10_000, "each commit makes it begin anew"
        self._writer.execute("BEGIN IMMEDIATE")
        for table in ("left", "right"):
            self._writer.execute(f'INSERT INTO "{table}" VALUES (?, zeroblob(2000))', (self.commits,))
        self._writer.execute("COMMIT")

    def close(self) -> None:
        self._writer.close()


async def test_commits_between_its_steps_neither_get_into_it_nor_hold_it_up(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)
    with closing(_Disturbed(filled, tmp_path / "copy")) as work:
        work.commit()
        copy = work.run()
        assert work.commits > 20
    for table in ("left", "right"):
        assert values(copy, f'SELECT number FROM "{table}"') == [(1,)]
    assert values(copy, "PRAGMA integrity_check") == [("ok",)]
    assert work.copied == work.total == copy.stat().st_size


@pytest.mark.parametrize("stop_at", [0, 1, 30])
async def test_stopped_it_leaves_nothing(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)
    folder = tmp_path / "copies"
    folder.mkdir()
    work = _StopsItself(filled, folder / "a.db", stop_at * 4096)
    with pytest.raises(Stopped):
        work.run()
    assert names(folder) == set()


class _StopsItself(Backup):
    """Is told to stop as soon as so many bytes are copied."""

    def __init__(self, state: Path, target: Path, at: int):
        self._at = at
        super().__init__(state, target, overwrite=False, now=NOW, apart={})

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "copied" and isinstance(value, int) and value >= self._at:
            self.stop()


async def test_a_file_that_is_there_is_replaced_only_if_that_is_asked_for(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_text("mine")
    with pytest.raises(ConfigError, match="--force"):
        copied(filled, target)
    assert target.read_text() == "mine"
    copied(filled, target, overwrite=True)
    assert values(target, "PRAGMA quick_check") == [("ok",)]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal", ".lock", ".watchers", ".ballast"])
async def test_no_part_of_the_state_file_is_a_target(
    filled: Path, monkeypatch: pytest.MonkeyPatch, ending: str, overwrite: bool
) -> None:
    before = filled.read_bytes()
    monkeypatch.chdir(filled.parent)
    for target in (filled.with_name(filled.name + ending), Path(filled.name + ending)):
        with pytest.raises(ConfigError, match="belongs to the state file"):
            copied(filled, target, overwrite=overwrite)
    assert filled.read_bytes() == before


async def test_a_link_to_the_state_file_is_none_either(filled: Path, tmp_path: Path) -> None:
    for name, link in (("hard", Path.hardlink_to), ("soft", Path.symlink_to)):
        link(tmp_path / name, filled)
        with pytest.raises(ConfigError, match="belongs to the state file"):
            copied(filled, tmp_path / name, overwrite=True)


async def test_a_target_that_is_no_file_is_refused(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="not a regular file"):
        copied(filled, tmp_path / "link", overwrite=True)
    with pytest.raises(ConfigError, match="no such folder"):
        copied(filled, tmp_path / "none" / "copy")


async def test_a_damaged_state_file_is_not_copied(filled: Path, tmp_path: Path) -> None:
    content = bytearray(filled.read_bytes())
    content[4096 * 30 : 4096 * 40] = b"\xff" * 4096 * 10
    filled.write_bytes(content)
    before = names(tmp_path)
    with pytest.raises(StateError, match="`mirrortui rebuild`"):
        copied(filled, tmp_path / "copy")
    assert names(tmp_path) == before


def test_without_a_state_file_there_is_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="nothing to copy"):
        copied(tmp_path / "none", tmp_path / "copy")
    assert names(tmp_path) == set()
