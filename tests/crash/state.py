"""What a site holds at a moment, read without touching it: its tree and its state file."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from core.store.database import Database
from tests.core.store.seed import counted, recounted
from tests.whole.site import Site

PRIVATE = ".mirrortui"

Tree: TypeAlias = dict[str, bytes]
"""Files by path."""
Record: TypeAlias = tuple[str, str, str, str | None]


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as the state file knows it."""

    path: str
    digest: str
    state: str
    kept: int


def tree(folder: Path) -> Tree:
    """Return all files of a published tree, indexes too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if PRIVATE not in path.parts and not path.is_dir()
    }


def filesets(files: Tree) -> dict[str, Tree]:
    """Return the files of a tree by fileset, that is, by PRODUCT/FILESET."""
    found: dict[str, Tree] = {}
    for path, body in files.items():
        if path.count("/") == 2:
            fileset, _, name = path.rpartition("/")
            found.setdefault(fileset, {})[name] = body
    return found


def set_aside(private: Path) -> Counter[tuple[str, str, bytes]]:
    """Return what was found in replaced filesets, and is kept: fileset, name and content."""
    return Counter(
        (path.parent.name.rpartition(".")[0], path.name, path.read_bytes()) for path in private.glob("replaced/*/*")
    )


def listed(index: bytes) -> set[str]:
    """Return the names in an index."""
    lines = index.decode().splitlines()
    return {line.split("|")[0].strip() for line in lines if not line.startswith("#")}


def copied(site: Site, folder: Path) -> Site:
    """Return a copy of configuration and state file: what looks at it changes nothing for the next run."""
    shutil.rmtree(folder, ignore_errors=True)
    copy = Site(folder, "http://127.0.0.1:9/ds")
    for path in [site.config, *site.folder.glob("mirror.db*")]:
        shutil.copy2(path, folder)
    return copy


def demand_sound(state: Path) -> None:
    """Demand that a state file, if there is one, is whole and counts right."""
    if not has_schema(state):
        return
    with closing(sqlite3.connect(state)) as db:
        for check, sound in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
            assert (told := db.execute(f"PRAGMA {check}").fetchall()) == sound, f"{check}: {told}"
    asyncio.run(_demand_counts(state))


def has_schema(state: Path) -> bool:
    """Tell whether there is a state file that an engine has begun to use."""
    if not state.exists():
        return False
    with closing(sqlite3.connect(state)) as db:
        return bool(db.execute("PRAGMA user_version").fetchone()[0])


async def _demand_counts(state: Path) -> None:
    async with await Database.open_reader(state) as db:
        assert await counted(db) == await recounted(db), "the counters disagree with the rows"


def known_files(state: Path) -> list[KnownFile]:
    """Return the files of all filesets that are current."""
    if not has_schema(state):
        return []
    with closing(sqlite3.connect(state)) as db:
        rows = db.execute(
            """SELECT p.name || '/' || s.name || '/' || f.name, f.digest, f.state, f.kept
               FROM files f JOIN filesets s ON s.id = f.id >> 24 JOIN products p ON p.id = s.product_id
               WHERE s.state <> 'superseded'"""
        )
        return [KnownFile(*row) for row in rows]


def records(state: Path) -> Counter[Record]:
    """Return what a state file says at last of every fileset and file, of all revisions."""
    with closing(sqlite3.connect(state)) as db:
        rows = db.execute(
            """SELECT p.name || '/' || s.name, s.state, '', s.index_sha256
               FROM filesets s JOIN products p ON p.id = s.product_id
               UNION ALL
               SELECT p.name || '/' || s.name || '/' || f.name, s.state, f.state, f.blake3
               FROM files f JOIN filesets s ON s.id = f.id >> 24 JOIN products p ON p.id = s.product_id"""
        )
        return Counter(tuple(row) for row in rows)


def unfinished(state: Path) -> list[str]:
    """Return what a state file still has to do after a run that did everything."""
    with closing(sqlite3.connect(state)) as db:
        rows = db.execute(
            """SELECT 'transfer of file ' || file_id FROM transfers
               UNION ALL SELECT 'command ' || kind FROM commands WHERE state = 'new'
               UNION ALL SELECT 'index of ' || name FROM products WHERE index_due
               UNION ALL SELECT 'listing of ' || name FROM products WHERE full_list_due"""
        )
        return [row[0] for row in rows]
