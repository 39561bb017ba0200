"""The real mirror: its folder, its state as another process sees it, and what is on its disk."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.model import CommandKind
from core.store import commands
from core.store.commands import Target
from core.store.database import Database
from tests.core.store.seed import counted, recounted
from tests.model.program import running
from tests.model.semantics import File, Fileset
from tests.model.upstream import md5
from tests.whole.site import Site

Wish = tuple[CommandKind, Target]

FAR = 1000.0
"""Seconds: a try that is so far away is not waited for."""

Name = tuple[str, str]
"""Of a fileset: product and name."""


@dataclass(frozen=True)
class Product:
    """A product as the state has it."""

    selected: bool
    paused: bool
    failing: bool
    alarmed: bool
    cursor: str | None


@dataclass(frozen=True)
class Seen:
    """The state at one moment, and the wishes in it that nobody has carried out yet."""

    products: dict[str, Product]
    filesets: dict[Name, Fileset]
    pending: dict[int, Wish]
    paused: bool


@dataclass(frozen=True)
class Ended:
    """How a run ended; `code` is negative if a signal killed it."""

    code: int
    result: Any


class Mirror:
    """One site, and its program."""

    def __init__(self, folder: Path, url: str):
        self.site = Site(folder / "site", url)
        self._url = url
        self.data = self.site.data
        self.state = self.site.folder / "mirror.db"

    def list_all(self, whole: bool) -> None:
        """Choose whether the next runs take whole lists, as they do once a day, or ask for what is new."""
        self.site.configure(self._url, mirror=f'reconcile_interval = "{0.1 if whole else 86400}s"')

    def once(self) -> Ended:
        """Run to the end."""
        with running(self.site.folder, "--once", "--json") as process:
            pass
        return self.ended(process.exitcode)

    def ended(self, code: int | None) -> Ended:
        """Return how the run that has just ended did so; what goes wrong within the program never is a traceback."""
        errors = (self.site.folder / "err").read_text()
        assert "Traceback" not in errors, errors
        out = (self.site.folder / "out").read_text()
        return Ended(code or 0, json.loads(out) if out and (code or 0) >= 0 else None)

    def wish(self, kind: CommandKind, target: Target) -> int:
        """Write a wish into the state, as any process may at any time; return its number."""

        async def write() -> int:
            async with await Database.open_reader(self.state) as db:
                return await commands.append(db, kind, target, time.time())

        return asyncio.run(write())

    def reboot(self) -> None:
        """Start the machine anew: of what was staged, and never flushed, nothing but zeros is left."""
        with closing(sqlite3.connect(self.state)) as db, db:
            db.execute("UPDATE settings SET value = 'another' WHERE key = 'boot'")
        for path in (self.data / ".mirrortui" / "staging").rglob("*.fits*"):
            path.write_bytes(bytes(path.stat().st_size))

    def seen(self) -> Seen:
        """Read the state."""
        return asyncio.run(_read(self.state))

    def result_of(self, command: int) -> str:
        """Return what became of a wish: done, or refused."""
        with closing(sqlite3.connect(self.state)) as db:
            return str(db.execute("SELECT state FROM commands WHERE id = ?", (command,)).fetchone()[0])

    def digests(self) -> frozenset[str]:
        """Return the digests of all files that are on the disk, published or not."""
        return frozenset(md5(path.read_bytes()) for path in self.data.rglob("*") if path.is_file())


async def check_counters(state: Path) -> None:
    """The figures that screens show are those of the rows, and the file is sound."""
    async with await Database.open_reader(state) as db:
        assert await counted(db) == await recounted(db)
        assert await db.value("PRAGMA quick_check") == "ok"


async def _read(state: Path) -> Seen:
    now = time.time()
    if not state.exists():
        return Seen({}, {}, {}, paused=False)
    async with await Database.open_reader(state) as db:
        products = {row["id"]: row for row in await db.rows("SELECT * FROM products")}
        rows = await db.rows("SELECT * FROM filesets WHERE state <> 'superseded'")
        files: dict[int, dict[str, File]] = {}
        for row in await db.rows("SELECT * FROM files ORDER BY id"):
            files.setdefault(row["id"] >> 24, {})[row["name"]] = _file(row, now)
        return Seen(
            {row["name"]: _product(row) for row in products.values()},
            {(products[row["product_id"]]["name"], row["name"]): _fileset(row, files, now) for row in rows},
            {one.id: (one.kind, one.target) for one in await commands.new(db) if one.kind},
            bool(await db.value("SELECT 1 FROM mirrors WHERE paused IS NOT NULL")),
        )


def _product(row: Any) -> Product:
    return Product(
        bool(row["selected"]),
        row["paused"] is not None,
        row["error"] is not None,
        row["alarm"] is not None,
        row["cursor"],
    )


def _fileset(row: Any, files: dict[int, dict[str, File]], now: float) -> Fileset:
    return Fileset(
        state=row["state"],
        registered=row["registered"],
        trouble=row["trouble"],
        index=row["index_sha256"],
        waits=row["trouble"] == "quarantined" if row["next_try"] is None else row["next_try"] > now + FAR,
        tried=row["attempts"] > 0,
        was_published=row["published_at"] is not None,
        wish=row["wish"] or "",
        reread=bool(row["reread"]),
        files=files.get(row["id"], {}),
    )


def _file(row: Any, now: float) -> File:
    far = row["next_try"] is not None and row["next_try"] > now + FAR
    waits = row["state"] == "quarantined" or (row["state"] == "retry_wait" and far)
    refuted = row["failure_kind"] == "integrity"
    return File(
        row["state"], row["digest"], row["seen_digest"], waits, row["attempts"] > 0, row["listed_digest"], refuted
    )
