"""Opening the state file, and the few verbs through which all SQL runs."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeAlias, cast

import aiosqlite

from core.errors import StateError
from core.store.ballast import at_most
from core.store.identity import READING_ERRORS, OtherVersion, demand_ours, unreadable
from core.store.schema import APPLICATION_ID, MIGRATIONS
from core.store.shortage import demand_descriptors, refused, shortage
from core.store.transitions import transition_rows

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "sshfs", "glusterfs"}
)
_OCTAL = re.compile(r"\\([0-7]{3})")
"""How a mount table writes blanks, tabs, line ends and backslashes."""

WRITING, UNCHANGING = "mode=rw", "mode=ro&immutable=1"
"""How a file is opened, see https://sqlite.org/uri.html."""
BUSY_SECONDS = 10.0
LOG_BYTES = 4000 << 12
"""A log that has grown so long is taken into the state file; on a small disk a shorter one."""
PAGE_BYTES = 4096
READ_CACHE_KIB = 8192


class IllegalTransition(Exception):
    """A state change that transitions.py does not list was tried, and refused."""


class Database:
    """One connection to the state file: either the engine's (writing) or a watcher's (read-only)."""

    def __init__(self, connection: aiosqlite.Connection, path: Path):
        self._connection = connection
        self._lock = asyncio.Lock()
        self.path = path

    @classmethod
    async def open_writer(cls, path: Path) -> Self:
        """Open `path` for the one engine, creating and migrating it. Raises StateError."""
        _refuse_network_file_system(path.parent)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise refused(f"{path}: the state file cannot be written", error) from error
        db = await cls._open(path)
        try:
            await db._prepare_writer()
        except BaseException:
            await db.close()
            raise
        return db

    @classmethod
    async def open_reader(cls, path: Path) -> Self:
        """Open `path` for watching and for appending commands. Raises StateError if it is not a state file."""
        _demand_file(path)
        return await cls._open_checked(path, WRITING)

    @classmethod
    async def open_look(cls, path: Path) -> Self:
        """Open `path` for one look, also on a disk that is full or read-only. Raises StateError.

        SQLite needs files of its own beside the state. Where it can't make them, a state without a log is read as it
        is: whoever changed it would have one.
        """
        _demand_file(path)
        try:
            return await cls.open_reader(path)
        except StateError:
            if _has_log(path):
                raise
        return await cls._open_checked(path, UNCHANGING)

    @classmethod
    async def _open_checked(cls, path: Path, way: str) -> Self:
        db = await cls._open(path, way)
        try:
            await db._check_readable()
            await db.run(f"PRAGMA cache_size = -{READ_CACHE_KIB}")
        except BaseException:
            await db.close()
            raise
        return db

    @classmethod
    async def _open(cls, path: Path, way: str = WRITING) -> Self:
        if way == WRITING:
            _let_write_beside(path)
        try:
            connection = await aiosqlite.connect(_uri(path, way), uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        except sqlite3.Error as error:
            told = StateError(f"{path}: the state file cannot be opened: {error}")
            raise shortage(path, error) or told from error
        connection.row_factory = sqlite3.Row
        return cls(connection, path)

    async def _prepare_writer(self) -> None:
        version = await self._check_identity()
        try:
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                "temp_store = FILE",
            ):
                await self.run(f"PRAGMA {pragma}")
            await self._hold_temporary_tables_beside()
            await self.checkpoint_by_itself(True)
            async with self.transaction():
                for migration in MIGRATIONS[version:]:
                    for statement in migration:
                        await self.run(statement)
                await self.run(f"PRAGMA user_version = {len(MIGRATIONS)}")
                await self.run(f"PRAGMA application_id = {APPLICATION_ID}")
                await self.run("DELETE FROM transitions")
                await self.run_many("INSERT INTO transitions VALUES (?, ?, ?)", transition_rows())
        except sqlite3.Error as error:
            told = StateError(f"{self.path}: the state file cannot be prepared: {error}")
            raise shortage(self.path, error) or told from error

    async def _hold_temporary_tables_beside(self) -> None:
        """Have listings compared on the disk of the state, whose room is looked after, not on that of the system."""
        folder = str(self.path.absolute().parent).replace("'", "''")
        with suppress(UnicodeEncodeError):
            await self.run(f"PRAGMA temp_store_directory = '{folder}'")

    async def checkpoint_by_itself(self, wanted: bool) -> None:
        """Have a log that has grown long taken into the state file, which may need room on the disk; or not."""
        pages = at_most(os.statvfs(self.path.absolute().parent), LOG_BYTES) // PAGE_BYTES
        await self.run(f"PRAGMA wal_autocheckpoint = {pages if wanted else 0}")

    async def _check_identity(self) -> int:
        """Return the schema's version; raise StateError for anything that is not a state file of ours."""
        try:
            version = int(await self.value("PRAGMA user_version"))
            application = int(await self.value("PRAGMA application_id"))
            tables = int(await self.value("SELECT count(*) FROM sqlite_master"))
        except READING_ERRORS as error:
            raise unreadable(self.path, error) from error
        demand_ours(self.path, version, application, tables)
        return version

    async def _check_readable(self) -> None:
        version = await self._check_identity()
        if not version:
            raise StateError(
                f"{self.path}: the state file is empty; `mirrortui --once` or `mirrortui run` begins anew with it, and "
                "takes over what is published. If it was not new: restore it from a copy that `mirrortui backup` made, "
                "or `mirrortui rebuild` it from the published trees"
            )
        if version < len(MIGRATIONS):
            raise OtherVersion(
                f"{self.path}: not prepared by an engine of this version yet (schema {version}, "
                f"this one reads {len(MIGRATIONS)}); start the engine first",
                older=True,
            )

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Run the block as one write transaction; others wait for it. It is rolled back if the block raises."""
        async with self._lock:
            try:
                await self.run("BEGIN IMMEDIATE")
                yield
                await asyncio.shield(self.run("COMMIT"))
            except BaseException:
                # also when BEGIN or COMMIT was cut off or failed; without an open transaction it does nothing
                await asyncio.shield(self._connection.rollback())
                raise

    async def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement and return how many rows it changed."""
        with _told_apart():
            cursor = await self._connection.execute(sql, parameters)
            return cursor.rowcount  # closing it would be one more errand for the connection's thread; it goes by itself

    async def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of `rows`; what comes in great numbers goes by core.store.bulk."""
        if not (rows := list(rows)):
            return
        with _told_apart():
            async with self._connection.executemany(sql, rows):
                pass

    async def insert(self, sql: str, parameters: Parameters = ()) -> int:
        """Run an INSERT and return the new row's id."""
        with _told_apart():
            cursor = await self._connection.execute(sql, parameters)
            return cursor.lastrowid or 0

    async def rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Return all rows of a query; callers bound them by key range and LIMIT."""
        with _told_apart():
            # in one step: a statement left open would keep an old snapshot, on which no write can begin
            return list(await self._connection.execute_fetchall(sql, cast("Sequence[Any]", parameters)))

    async def one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        found = await self.rows(sql, parameters)
        return found[0] if found else None

    async def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """Return the first column of the first row, or None."""
        row = await self.one(sql, parameters)
        return row[0] if row else None


class _told_apart:  # noqa: N801 - reads as a statement
    """Turn the triggers' refusal of an illegal transition, and a want of descriptors, into exceptions of their own."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.IntegrityError) and "illegal transition" in str(error):
            raise IllegalTransition(str(error)) from error
        demand_descriptors(error)


def _let_write_beside(path: Path) -> None:
    """Have the files of our own beside a state that we may write be writable, too.

    SQLite gives them the mode that the state had when they were made: a look at one that is read-only leaves some.
    """
    if not os.access(path, os.W_OK):
        return
    for beside in (path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm")):
        with suppress(OSError):
            status = beside.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWUSR:
                beside.chmod(0o600)


def _uri(path: Path, way: str) -> str:
    return f"{path.absolute().as_uri()}?{way}"


def _has_log(path: Path) -> bool:
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _demand_file(path: Path) -> None:
    if not path.is_file():
        raise StateError(f"{path}: there is no state file; start the engine first")
    if not os.access(path, os.R_OK, effective_ids=True):  # to close it, had it been opened, would end SQLite's locks
        raise refused(
            f"{path}: the state file cannot be read", PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        )


def _refuse_network_file_system(folder: Path) -> None:
    """Raise StateError if `folder` is missing, or on a file system whose locks SQLite cannot trust."""
    try:
        target = folder.resolve(strict=True)
    except OSError as error:
        raise StateError(f"{folder}: the folder of the state file cannot be used: {error.strerror}") from None
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    kind = file_system_of(target, mounts)
    if kind.removeprefix("fuse.") in NETWORK_FILE_SYSTEMS:
        raise StateError(
            f"{folder}: on a network file system ({kind}), where SQLite cannot be trusted; "
            "set `state` in [engine] to a path on a local disk"
        )


def file_system_of(target: Path, mounts: str) -> str:
    """Return the type of the file system that holds the absolute path `target`, by a mount table, see fstab(5).

    Of several file systems mounted at one place the last one is on top. Empty if the table doesn't tell.
    """
    depth, found = -1, ""
    for mount in mounts.splitlines():
        _, point, kind, *_ = mount.split(" ")
        place = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), point))
        if len(place.parts) >= depth and target.is_relative_to(place):
            depth, found = len(place.parts), kind
    return found
