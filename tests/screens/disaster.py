"""The night in which everything fails: sources down, a disk full, thousands of files in trouble."""

from __future__ import annotations

from pathlib import Path

from core.store.database import Database
from core.store.ids import POSITION_BITS
from tests.screens import night
from tests.screens.night import NOW

FAILING, FILES_EACH = 240, 18
DOWN = "http://datastore.example.org/ds/{}/index.txt: the server answered 503 Service Unavailable"


async def build(folder: Path) -> Path:
    """Write configuration and state into `folder`; return the configuration file."""
    file = await night.build(folder)
    async with await Database.open_writer(folder / "mirror.db") as db, db.transaction():
        await _nothing_moves(db)
        await _sources(db)
        await _files(db)
        await _events(db)
    return file


async def _nothing_moves(db: Database) -> None:
    await db.run("DELETE FROM transfers")
    await db.run("UPDATE files SET state = 'partial', kept = size / 3 WHERE state = 'active'")
    await db.run("DELETE FROM history WHERE at > ?", (NOW - 1500,))
    await db.run(
        "INSERT INTO hosts VALUES ('datastore.example.org', ?, '12 failures in a row: 503 Service Unavailable')",
        (NOW + 1310,),
    )


async def _sources(db: Database) -> None:
    for product in ("gpc1-raw", "md-fix"):
        await db.run(
            "UPDATE products SET error_kind = 'transient', error = ?, polled_at = ? WHERE name = ?",
            (DOWN.format(product), NOW - 9_000, product),
        )
    await db.run(
        "UPDATE products SET alarm = 'upstream lists nothing any more; nothing was deleted' WHERE name = 'diff-nightly'"
    )
    await db.run(
        """UPDATE mirrors SET stopped_kind = 'disk',
                  stopped = 'disk full: 1.9 GB free, min_free keeps 1.9 GB: /srv/mirror/cmip' WHERE name = 'cmip'"""
    )
    await db.run("UPDATE disks SET free = 1900000000, total = 38000000000 WHERE mirror_id = 2")
    await db.run(
        f"""INSERT INTO mirrors (id, name, protocol, url, destination, tried_at, stopped_kind, stopped)
            VALUES (3, 'lsst', 'ipp', 'https://data.lsst.example.org/ds', '/srv/mirror/lsst', {NOW - 60}, 'tls',
                    'https://data.lsst.example.org/ds/: the server''s certificate is refused: it has expired')"""
    )


async def _files(db: Database) -> None:
    """Let thousands of files of the raw exposures wait for their next try, and some be in quarantine."""
    await db.run(
        """UPDATE filesets SET state = 'transferring', trouble = iif(place % 8, 'failed', 'quarantined') WHERE id IN (
               SELECT id FROM filesets WHERE product_id = 4 AND state = 'queued' ORDER BY place LIMIT ?)""",
        (FAILING,),
    )
    await db.run(
        f"""WITH n (x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x < {FILES_EACH - 1})
            INSERT INTO files (id, name, size, digest, type, state, attempts, tries, failure_kind, failure, next_try)
            SELECT s.id << {POSITION_BITS} | x, printf('chip.%02d.fits', x), 12000000,
                   '9e107d9d372bb6826bd81d3542a419d6', 'fits', iif(place % 8, 'retry_wait', 'quarantined'), 3, 3,
                   iif(place % 8, 'transient', 'integrity'),
                   iif(place % 8, 'the server answered 503 Service Unavailable',
                                  'came twice with the same wrong MD5, 9e107d9d372bb6826bd81d3542a419d6'),
                   iif(place % 8, {NOW} + 60 + x * 7, NULL)
            FROM filesets s, n WHERE s.product_id = 4 AND s.trouble <> ''
                 AND NOT EXISTS (SELECT 1 FROM files f WHERE f.id = s.id << {POSITION_BITS} | 0)"""
    )


async def _events(db: Database) -> None:
    events = [
        (1480, "error", "ps1", "gpc1-raw", f"not listed: {DOWN.format('gpc1-raw')}"),
        (1470, "warning", "ps1", "gpc1-raw", "transient: 3,780 files, first gpc1-raw.44119/chip.00.fits: tried again"),
        (1200, "error", "ps1", "diff-nightly", "upstream lists nothing any more; nothing was deleted"),
        (600, "error", "cmip", None, "stopped: disk full: 1.9 GB free, min_free keeps 1.9 GB: /srv/mirror/cmip"),
        (60, "error", "lsst", None, "stopped: the server's certificate is refused: it has expired"),
    ]
    await db.run_many(
        "INSERT INTO events (at, level, mirror, product, message) VALUES (?, ?, ?, ?, ?)",
        [(NOW - age, level, mirror, product, message) for age, level, mirror, product, message in events],
    )
