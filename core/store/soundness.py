"""Whether a state file is sound: read from its first page to its last, and nothing changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

from core.errors import Stopped
from core.store.identity import READING_ERRORS, broken, demand_ours

STEPS = 10_000
"""Instructions of SQLite's machine between two looks at whether to stop: some hundred microseconds."""


def fault(path: Path, stop: Event) -> str | None:
    """Return why the content of the state file at `path` is no use any more, or None if it is sound.

    It blocks for as long as the file takes to read. Raises StateError for a file that is another program's or of a
    newer version, Stopped once `stop` is set, and sqlite3.Error if it can't be examined.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            with stoppable(connection, stop):
                empty = not identify(path, connection)
                found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except READING_ERRORS as error:
            if broken(error):
                return str(error)
            raise
    if empty:
        return "it is empty"
    return problem(found)


def problem(found: str) -> str | None:
    """Return what a check of SQLite's says that is wrong, on one line; None if nothing is."""
    return None if found == "ok" else found.splitlines()[-1]


@contextmanager
def stoppable(connection: sqlite3.Connection, stop: Event) -> Iterator[None]:
    """Raise Stopped from the statements in the block once `stop` is set."""
    connection.set_progress_handler(stop.is_set, STEPS)
    try:
        yield
    except sqlite3.OperationalError:
        if stop.is_set():
            raise Stopped from None
        raise
    finally:
        connection.set_progress_handler(None, 0)


def identify(path: Path, connection: sqlite3.Connection) -> bool:
    """Tell whether there is anything in the file at `path`. Raises StateError if it is not ours, or too new."""
    version, application, tables = (
        int(connection.execute(sql).fetchone()[0])
        for sql in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
    )
    demand_ours(path, version, application, tables)
    return tables > 0
