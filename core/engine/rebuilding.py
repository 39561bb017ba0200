"""A new state file, made from the published trees: what can be proven is entered, all else is left to the next run."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from core.config import Config, Mirror
from core.destinations.published import PublishedTree
from core.engine.entering import Entry, MirrorRebuilt
from core.engine.lease import Lease
from core.engine.standing import Reading
from core.errors import DiskError, StateError
from core.store import rebuilding, registry
from core.store.database import Database
from core.store.draft import Draft
from core.store.soundness import fault

THREADS = 4


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How a rebuild ended: `aside` is where what stood in the place of the state file was moved to, `fault` why."""

    state: Path
    aside: Path | None
    fault: str | None
    mirrors: tuple[MirrorRebuilt, ...]
    by_size: bool
    elapsed: float

    @property
    def whole(self) -> bool:
        """True if everything that was found is right."""
        return not any(mirror.omissions.count for mirror in self.mirrors)


class Rebuilding:
    """Makes a new state file where there is none, or a broken one.

    A fileset is entered if each of its files is what its index says: by size and digest, or with `by_size` by its size.
    The next run lists every product whole; it adopts or fetches what was left out.
    """

    def __init__(self, config: Config, *, mirror: str | None = None, by_size: bool = False):
        self._config = config
        self._chosen = [config.mirror(mirror)] if mirror is not None else list(config.mirrors)
        self._by_size = by_size
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="rebuild")
        self.reading = Reading()

    def stop(self) -> None:
        """Make `run` raise Stopped soon; nothing is changed then."""
        self.reading.stop.set()

    async def run(self) -> Rebuilt:
        """Rebuild. Raises StateError for a sound state file, LeaseHeld, DiskError, or Stopped; it runs once."""
        begun = time.monotonic()
        lease = Lease(self._config.engine.state)
        lease.take()
        try:
            with ExitStack() as opened:
                why = await self._demand_no_sound_state()
                trees = [(mirror, self._open(mirror, opened)) for mirror in self._chosen]
                aside, mirrors = await self._draft(trees)
        finally:
            self.stop()
            await asyncio.to_thread(self._pool.shutdown)
            lease.release()
        elapsed = time.monotonic() - begun
        return Rebuilt(self._config.engine.state, aside, why, mirrors, self._by_size, elapsed)

    async def _demand_no_sound_state(self) -> str | None:
        """Return what is wrong with the state file; None if there is none."""
        state = self._config.engine.state
        if not state.exists():
            return None
        why = await asyncio.to_thread(fault, state, self.reading.stop)
        if why is None:
            raise StateError(
                f"{state}: the state file is sound, and knows more than the published trees; nothing was changed. "
                "Start the engine with it; to have it made anew all the same, move it away, with its -wal and -shm"
            )
        return why

    def _open(self, mirror: Mirror, opened: ExitStack) -> PublishedTree | None:
        if not mirror.destination.exists():
            return None
        tree = PublishedTree(mirror.destination)
        tree.open()
        opened.callback(tree.close)
        return tree

    async def _draft(
        self, trees: list[tuple[Mirror, PublishedTree | None]]
    ) -> tuple[Path | None, tuple[MirrorRebuilt, ...]]:
        """Make the new state file beside its place, and put it there when it is complete."""
        draft = Draft(self._config.engine.state)
        try:
            await asyncio.to_thread(draft.discard)
            async with await Database.open_writer(draft.path) as db:
                found = await self._enter_all(db, trees)
            return await asyncio.to_thread(draft.put_in_place, time.time()), found
        except OSError as error:
            raise DiskError(
                f"{self._config.engine.state}: the new state file cannot be put in its place: {error.strerror}"
            ) from error
        finally:
            await asyncio.to_thread(draft.discard)

    async def _enter_all(
        self, db: Database, trees: list[tuple[Mirror, PublishedTree | None]]
    ) -> tuple[MirrorRebuilt, ...]:
        await rebuilding.hurry(db)
        configured = [(one.name, one.protocol, one.url, str(one.destination)) for one in self._config.mirrors]
        async with db.transaction():
            ids = await registry.configure_mirrors(db, configured)
        entry = Entry(db, self._pool, self.reading, by_size=self._by_size)
        found = [await entry.enter(mirror, ids[mirror.name], tree) for mirror, tree in trees]
        await rebuilding.settle(db)
        return tuple(found)
