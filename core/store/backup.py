"""Copying the state file while an engine may write to it: all of one moment, proven, or nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

from core.errors import ConfigError, DiskError, StateError, Stopped
from core.store.draft import sync
from core.store.identity import READING_ERRORS, REMEDY, broken, unreadable
from core.store.soundness import identify, problem, stoppable
from core.text import display
from core.units import stamp

PAGES = 256
"""Pages that are copied in one step, after which progress is told and a stop obeyed."""
BUSY_SECONDS = 10.0
DATABASE = ("-wal", "-shm", "-journal")
BESIDE = ("", *DATABASE, ".lock", ".watchers", ".ballast", *(f".rebuilding{end}" for end in ("", *DATABASE)))
"""What belongs to a state file, by the ends of the names."""


class Backup:
    """Copies `state` to `target`; a folder gets ``mirror-YYYYMMDDTHHMMSSZ.db``, by the time `now`.

    `apart` are files and folders that the copy must not be at, nor below, each with what there is to say of such a
    target; what belongs to the state itself is always among them. `run` blocks; `copied` bytes of `total` are done.
    """

    def __init__(self, state: Path, target: Path, *, overwrite: bool, now: float, apart: Mapping[Path, str]):
        self._state = state
        self._target = target / f"mirror-{stamp(now)}.db" if _is_folder(target) else target
        self._overwrite = overwrite
        own = {state.with_name(state.name + end): "belongs to the state file itself" for end in BESIDE}
        self._apart = {**own, **apart}
        self._stop = Event()
        self.copied = self.total = 0

    def stop(self) -> None:
        """Make `run` raise Stopped soon; nothing is left of the copy then."""
        self._stop.set()

    def run(self) -> Path:
        """Return where the copy is.

        Raises ConfigError for a target that can't be meant, StateError if the state file is none or broken, DiskError
        if the copy can't be written, sqlite3.Error if the state file can't be opened, and Stopped.
        """
        self._demand_target()
        with self._snapshot() as source, self._told():
            partial = self._partial()
            try:
                self._copy(source, partial)
                sync(partial)
                self._demand_target()
                partial.replace(self._target)
                sync(self._target.parent)
            finally:
                for end in ("", *DATABASE):
                    partial.with_name(partial.name + end).unlink(missing_ok=True)
        return self._target

    def _demand_target(self) -> None:
        target = self._target
        if not _is_folder(target.parent):
            raise ConfigError(f"{display(target.parent)}: there is no such folder; make it, or name another one")
        if (words := self._not_apart()) is not None:
            raise ConfigError(f"{display(target)}: {words}; name another file for the copy")
        try:
            mode = target.lstat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(f"{display(target)}: {error.strerror}; name another file for the copy") from None
        if not stat.S_ISREG(mode):
            raise ConfigError(f"{display(target)}: is there, and is not a regular file; name another one")
        if not self._overwrite:
            raise ConfigError(f"{display(target)}: there is such a file; name another one, or replace it by --force")

    def _not_apart(self) -> str | None:
        place = Path(os.path.realpath(self._target.parent), self._target.name)
        around = (place, *place.parents)
        return next((words for path, words in self._apart.items() if any(_same(one, path) for one in around)), None)

    def _partial(self) -> Path:
        """Make an empty file, of mode 0600, beside the target."""
        descriptor, name = tempfile.mkstemp(prefix=".mirrortui-", suffix=".partial", dir=self._target.parent)
        os.close(descriptor)
        return Path(name)

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Open the state file, and keep what is copied as it is at this moment.

        Without that each commit of an engine, and there are ten a second, would start the copying anew.
        """
        if not self._state.is_file():
            raise StateError(f"{self._state}: there is no state file, so there is nothing to copy")
        with closing(_connect(self._state)) as source:
            try:
                filled = identify(self._state, source)
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except READING_ERRORS as error:
                if broken(error):
                    raise unreadable(self._state, error) from error
                raise
            if not filled:
                raise StateError(f"{self._state}: the state file is empty, so there is nothing to copy")
            yield source

    def _copy(self, source: sqlite3.Connection, partial: Path) -> None:
        page = int(source.execute("PRAGMA page_size").fetchone()[0])

        def progress(_: int, left: int, total: int) -> None:
            self.copied, self.total = (total - left) * page, total * page
            if self._stop.is_set():
                raise Stopped

        with closing(_connect(partial)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # it is flushed as a whole
            source.backup(copy, pages=PAGES, progress=progress)
            with stoppable(copy, self._stop):
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
                found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        if why := problem(found):
            raise StateError(f"{self._state}: the state file is damaged ({why}), and no copy was made. {REMEDY}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell errors of the disk that the copy goes to, and of a state file that is broken."""
        try:
            yield
        except sqlite3.Error as error:
            if broken(error):
                raise unreadable(self._state, error) from error
            raise self._refused(str(error)) from error
        except OSError as error:
            raise self._refused(error.strerror or str(error)) from error

    def _refused(self, reason: str) -> DiskError:
        return DiskError(
            f"{display(self._target)}: the copy cannot be written: {display(reason)}; nothing is left of it. "
            "Make room there, let this user write to that folder, or name another one",
            whole=True,
        )


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.absolute() == other.absolute()


def _is_folder(path: Path) -> bool:
    """Tell whether `path` is a folder; also False if it can't be one, or can't be reached."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False
