"""A state file as an operator might find it at three in the morning: seeded, the same in every run."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

from core.engine.lease import Lease
from core.store.bulk import table
from core.store.database import Database
from core.store.events import AUDIT
from core.store.ids import file_id

NOW = 1_795_161_482.0
"""2026-11-20T07:58:02Z."""

CONFIGURATION = """\
[engine]
state = "mirror.db"

[dashboard]
site = "dc-3"

[[mirror]]
name = "ps1"
protocol = "ipp"
url = "http://datastore.example.org/ds"
destination = "ps1"
products = ["md-*", "diff-*", "gpc1-*", "ipp-misc"]
max_lag = { "md-*" = "2h", "*" = "1d" }

[[mirror]]
name = "cmip"
protocol = "ipp"
url = "https://esg.example.org/ds"
destination = "cmip"
products = ["*"]
max_lag = "2d"
"""

PRODUCTS = (
    # mirror, name, description, selected, published, queued filesets, oldest waiting (s), bytes of a fileset
    (1, "md-all-rel-200907", "all detections, release 2009-07", 1, 1204, 380, 22_320, 2_140_000_000),
    (1, "md-fix", "corrected astrometry", 1, 611, 0, 0, 310_000_000),
    (1, "diff-nightly", "difference images of last night", 1, 1_412, 61, 5_400, 96_000_000),
    (1, "gpc1-raw", "raw exposures", 1, 4_118, 1_296, 31_000, 480_000_000),
    (1, "ipp-misc", "", 1, 97, 1, 90_000, 12_000_000),
    (1, "oss-stack", "outer solar system stacks", 0, 0, 0, 0, 0),
    (1, "sts-stack", "stationary transients", 0, 0, 0, 0, 0),
    (2, "CMIP6.ScenarioMIP.tas", "near-surface temperature", 1, 318, 12, 61_000, 5_300_000_000),
    (2, "CMIP6.ScenarioMIP.pr", "precipitation", 1, 322, 0, 0, 4_900_000_000),
)


COLUMNS = json.dumps({"stage": "chip", "camera": "gpc1", "filter": "r.00000", "exposure": "o5155g0312o"})
UNDER_WAY = ((1, ((25, 8), (12, 7))), (3, ((13, 13),)), (4, ((3, 16),)), (8, ((31, 2),)))
"""By product, of each of its filesets under way: the files that are staged, and those that follow in TEN seconds."""
FILES = 40
"""In each fileset."""
AT_A_TIME = 3
TEN = 10


async def build(folder: Path) -> Path:
    """Write configuration and state, as it is TEN seconds before NOW, into `folder`; return the configuration file."""
    file = folder / "mirrortui.toml"
    file.write_text(CONFIGURATION)
    async with await Database.open_writer(folder / "mirror.db") as db, db.transaction():
        await _mirrors(db)
        for number, product in enumerate(PRODUCTS, 1):
            await _product(db, number, product)
        await _files(db)
        await _troubles(db)
        await _past(db)
    return file


async def go_on(db: Database) -> None:
    """Let the files come that come in TEN seconds."""
    for product, filesets in UNDER_WAY:
        found = await db.rows(
            "SELECT id, bytes / files AS size FROM filesets WHERE product_id = ? AND state = 'transferring' "
            "AND trouble = '' ORDER BY place",
            (product,),
        )
        for row, (done, more) in zip(found, filesets, strict=True):
            await db.run(
                "UPDATE files SET state = 'staged' WHERE id BETWEEN ? AND ?",
                (file_id(row["id"], done + AT_A_TIME), file_id(row["id"], done + AT_A_TIME + more - 1)),
            )
            await db.run(
                "UPDATE meters SET files = files + ?, bytes = bytes + ? WHERE product_id = ?",
                (more, more * row["size"], product),
            )


def lease(folder: Path) -> Lease:
    """Return the lease that an engine of this state would hold."""
    return Lease(folder / "mirror.db")


async def _mirrors(db: Database) -> None:
    rows = [
        (1, "ps1", "http://datastore.example.org/ds", "/srv/mirror/ps1"),
        (2, "cmip", "https://esg.example.org/ds", "/srv/mirror/cmip"),
    ]
    await db.run_many(
        f"INSERT INTO mirrors (id, name, protocol, url, destination, polled_at, tried_at) "
        f"VALUES (?, ?, 'ipp', ?, ?, {NOW - 240}, {NOW - 240})",
        rows,
    )
    await db.run("INSERT INTO settings VALUES ('phase', 'running')")


async def _product(db: Database, number: int, product: tuple[int, str, str, int, int, int, int, int]) -> None:
    mirror, name, description, selected, published, queued, age, size = product
    await db.run(
        """INSERT INTO products (id, mirror_id, name, type, description, selected, polled_at, tried_at, reconciled_at)
           VALUES (?, ?, ?, 'IPP-DIST', ?, ?, ?, ?, ?)""",
        (number, mirror, name, description, selected, *[NOW - 240] * 3),
    )
    rows = [
        (number, at, f"{name}.{4_000 + at:05d}", int(NOW - age - 86_400 * (published - at)), "published", FILES, size)
        for at in range(published)
    ]
    rows += [
        (number, at, f"{name}.{4_000 + at:05d}", int(NOW - age + (at - published) * 60), "queued", FILES, size + at)
        for at in range(published, published + queued)
    ]
    await db.run(
        f"""INSERT INTO filesets (product_id, seq, place, name, registered, type, state, files, bytes, discovered_at,
                                  queued_at, published_at, index_sha256)
            SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[1]'),
                   json_extract(value, '$[2]'), json_extract(value, '$[3]'), 'distribution',
                   json_extract(value, '$[4]'), json_extract(value, '$[5]'), json_extract(value, '$[6]'),
                   json_extract(value, '$[3]') + 60,
                   {NOW - 280},
                   iif(json_extract(value, '$[4]') = 'published',
                       json_extract(value, '$[3]') + 1900 + json_extract(value, '$[1]') * 7919 % 5400, NULL),
                   'x'
            FROM json_each(?)""",
        (table(rows),),
    )


async def _files(db: Database) -> None:
    """Let five filesets be under way."""
    for product, filesets in UNDER_WAY:
        rows = await db.rows(
            "SELECT id, bytes FROM filesets WHERE product_id = ? AND state = 'queued' ORDER BY place LIMIT ?",
            (product, len(filesets)),
        )
        for row, (done, _) in zip(rows, filesets, strict=True):
            await db.run("UPDATE filesets SET state = 'transferring', columns = ? WHERE id = ?", (COLUMNS, row["id"]))
            await _fetch(db, row["id"], row["bytes"] // FILES, done)
    for product in range(1, len(PRODUCTS) + 1):
        await db.run("INSERT INTO meters VALUES (?, 1, 1)", (product,))


async def _fetch(db: Database, fileset: int, size: int, done: int) -> None:
    for at in range(FILES):
        state = "staged" if at < done else "active" if at < done + AT_A_TIME else "pending"
        digest = hashlib.md5(b"%d" % at, usedforsecurity=False).hexdigest()
        await db.run(
            "INSERT INTO files (id, name, size, digest, type, state) VALUES (?, ?, ?, ?, 'fits', ?)",
            (file_id(fileset, at), f"chip.{at:02d}.fits", size, digest, state),
        )
        if state == "active":
            await db.run(
                "INSERT INTO transfers (file_id, host, started_at, received, rate, lease) "
                "VALUES (?, 'datastore.example.org', ?, ?, 21e6, 1)",
                (file_id(fileset, at), NOW - 14, size * (at % AT_A_TIME + 1) // 4),
            )


WRONG = "MD5 is 9e107d9d372bb6826bd81d3542a419d6, the index says e4d909c290d0fb1ca068ffaddf22cbd0"


async def _troubles(db: Database) -> None:
    await _trouble(db, 5, "quarantined", "integrity", WRONG, 3)
    await _trouble(db, 3, "retry_wait", "transient", "the server answered 503 Service Unavailable", 4)
    await _trouble(db, 4, "retry_wait", "missing", "the server answered 404 Not Found: the file is not there", 2)
    await db.run(
        """INSERT INTO rejections (product_id, mirror_id, line, name, reason, seen_at)
           VALUES (3, 1, 118, '../../etc/cron.d/x', 'a name may not contain a slash', ?)""",
        (NOW - 240,),
    )
    await db.run("UPDATE products SET paused = 'by mira' WHERE name = 'md-fix'")


async def _trouble(db: Database, product: int, state: str, kind: str, words: str, tries: int) -> None:
    row = await db.one(
        "SELECT id, bytes FROM filesets WHERE product_id = ? AND state = 'queued' ORDER BY place LIMIT 1", (product,)
    )
    assert row is not None
    trouble = "quarantined" if state == "quarantined" else "failed"
    await db.run("UPDATE filesets SET state = 'transferring', trouble = ? WHERE id = ?", (trouble, row["id"]))
    seen = "9e107d9d372bb6826bd81d3542a419d6" if kind == "integrity" else None
    await db.run(
        """INSERT INTO files (id, name, size, digest, type, state, attempts, tries, failure_kind, failure, next_try,
                              seen_size, seen_digest)
           VALUES (?, 'catalog.smf', ?, 'e4d909c290d0fb1ca068ffaddf22cbd0', 'smf', ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            file_id(row["id"], 0), row["bytes"], state, tries, tries, kind, words,
            None if state == "quarantined" else NOW + 340 * tries, row["bytes"] if seen else None, seen,
        ),
    )  # fmt: skip
    for number in range(1, tries + 1):
        await db.run(
            """INSERT INTO attempts (fileset_id, file_id, at, number, kind, detail, size, digest)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                row["id"],
                file_id(row["id"], 0),
                NOW - 7200 + 900 * number,
                number,
                kind,
                words,
                row["bytes"] if seen else None,
                seen,
            ),
        )


async def _past(db: Database) -> None:
    """Write an hour of throughput, a week of disk, and the night's events."""
    rows = []
    for step in range(360):
        wave = 1.0e9 * (1.2 + math.sin(step / 23) * 0.7 + math.sin(step / 5) * 0.25)
        for product, share in ((1, 0.4), (3, 0.15), (4, 0.35), (8, 0.1)):
            rows.append((int(NOW) // 10 * 10 - 3600 + step * 10, product, max(0, int(wave * share))))
    await db.run_many("INSERT INTO history VALUES (?, ?, ?)", rows)
    disks = [
        (mirror, int(NOW - 86_400 + hour * 3600), int(9e12 - hour * 7e10), int(40e12))
        for mirror in (1, 2)
        for hour in range(25)
    ]
    await db.run_many("INSERT INTO disks VALUES (?, ?, ?, ?)", disks)
    events = [
        (7000, "info", "ps1", "md-all-rel-200907", "1,584 filesets listed, 4 new"),
        (
            5200,
            "warning",
            "ps1",
            "diff-nightly",
            "line 118 refused: a name may not contain a slash: '../../etc/cron.d/x'",
        ),
        (3600, AUDIT, "ps1", None, "pause by mira: 1 product: ps1/md-fix"),
        (2400, "error", "ps1", "ipp-misc", "catalog.smf in quarantine: came twice with the same wrong MD5"),
        (900, "warning", "ps1", "diff-nightly", "12 transfers failed: the server answered 503 Service Unavailable"),
        (240, "info", "cmip", None, "2 products listed, nothing new"),
    ]
    await db.run_many(
        "INSERT INTO events (at, level, mirror, product, message) VALUES (?, ?, ?, ?, ?)",
        [(NOW - age, level, mirror, product, message) for age, level, mirror, product, message in events],
    )
    await db.run(
        "INSERT INTO commands (kind, target, who, host, at, state, result, done_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ("pause", json.dumps({"filesets": []}), "mira", "dc-3:411", NOW - 3600, "done", "1 product", NOW - 3600),
    )
