"""SQLite's own errors, put into words for an operator."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import DiskError, ExitCode, MirrorError, StateError
from tests.descriptors import no_descriptors
from tui.headless.state_errors import state_errors_told
from tui.trouble import told


def fill_the_disk(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "mirror.db")) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")


def write_to_what_is_read_only(folder: Path) -> None:
    sqlite3.connect(folder / "mirror.db").close()
    with closing(sqlite3.connect(f"file:{folder / 'mirror.db'}?mode=ro", uri=True)) as connection:
        connection.execute("CREATE TABLE t (x)")


def open_what_is_not_there(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "none" / "mirror.db")):
        pass


def read_what_is_no_database(folder: Path) -> None:
    (folder / "mirror.db").write_bytes(os.urandom(4096))
    with closing(sqlite3.connect(folder / "mirror.db")) as connection:
        connection.execute("SELECT * FROM sqlite_master")


def write_while_another_does(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "mirror.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(sqlite3.connect(folder / "mirror.db", timeout=0)) as connection:
            connection.execute("CREATE TABLE t (x)")


@pytest.mark.parametrize(
    ("fault", "code", "advice"),
    [
        (fill_the_disk, ExitCode.DISK, "free some space"),
        (write_to_what_is_read_only, ExitCode.USAGE, "let this user write"),
        (open_what_is_not_there, ExitCode.USAGE, "let this user write"),
        (read_what_is_no_database, ExitCode.USAGE, "`mirrortui rebuild` moves it aside"),
        (write_while_another_does, ExitCode.USAGE, "another program has been writing to it"),
    ],
)
def test_what_an_operator_can_mend_is_told_as_such(
    tmp_path: Path, fault: Callable[[Path], None], code: ExitCode, advice: str
) -> None:
    state = tmp_path / "mirror.db"
    with pytest.raises(MirrorError) as caught, state_errors_told(state):
        fault(tmp_path)
    assert caught.value.exit_code is code
    assert str(state) in str(caught.value)
    assert advice in str(caught.value)


def fail_behind_others(fault: Callable[[Path], None], folder: Path) -> None:
    try:
        fault(folder)
    except sqlite3.Error as error:
        raise StateError("not ours") from ExceptionGroup("tasks", [ValueError("other"), error])


def test_a_full_disk_is_found_behind_other_errors(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="free some space"), state_errors_told(tmp_path / "mirror.db"):
        fail_behind_others(fill_the_disk, tmp_path)


def test_what_is_a_message_already_and_what_is_unknown_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="not ours"), state_errors_told(tmp_path):
        fail_behind_others(read_what_is_no_database, tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="syntax"), state_errors_told(tmp_path):
        sqlite3.connect(":memory:").execute("nonsense")
    with pytest.raises(KeyError), state_errors_told(tmp_path):
        raise KeyError("x")


def test_want_of_descriptors_is_no_internal_error() -> None:
    with no_descriptors(), pytest.raises(OSError, match="Too many open files") as caught:
        os.pipe()
    code, words = told(caught.value)
    assert code is ExitCode.DISK
    assert words.startswith("Too many open files: raise the limit")
