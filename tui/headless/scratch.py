"""A copy of the state in the folder for temporary files, for an engine that must change nothing."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from core.errors import DiskError, causes
from core.store.ballast import refusal
from core.store.database import Database
from core.store.shortage import not_opened
from core.text import display
from tui.headless.state_errors import state_errors_told


@contextmanager
def copy_of(state: Path) -> Iterator[Path]:
    """Yield the place of a copy of `state` for the time of the block; nothing is there if there is no state.

    Raises StateError if the state can't be read, DiskError if there is no room for the copy, or for what is done to it.
    """
    with state_errors_told(state), ExitStack() as stack:
        if known := state.exists():
            asyncio.run(_demand_state(state))
        with _no_room_told(OSError):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mirrortui-"))
            copy = Path(folder) / "mirror.db"
            if known:
                _copy(state, copy)
        with _no_room_told():
            yield copy


@contextmanager
def _no_room_told(*kinds: type[OSError]) -> Iterator[None]:
    """Tell what SQLite says of the copy, and errors of these `kinds`, as trouble of its folder."""
    try:
        yield
    except Exception as error:
        found = [one for one in causes(error) if isinstance(one, kinds) or not_opened(one) or refusal(one)]
        if not found:
            raise
        raise DiskError(
            f"{display(_folder())}: no copy of the state, on which a dry run works, can be kept there: "
            f"{display(found[0])}; make room, or set TMPDIR to another folder",
            whole=True,
        ) from error


def _folder() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return "TMPDIR"


async def _demand_state(state: Path) -> None:
    """Raise StateError unless `state` is a state file that this version can read."""
    await (await Database.open_reader(state)).close()


def _copy(state: Path, copy: Path) -> None:
    with closing(sqlite3.connect(state)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
