"""How long a dashboard needs to read what it shows, from a large made-up state. Run by hand:

python -m tests.benchmarks.bench_screens [--files 10000000] [--keep FILE]

The state has 100,000 filesets in the queue, of 1,000 products, the largest of which has half of them, besides 50,000
published ones; 60 are under way, and 5,000 files failed. Ten million files take a minute and 1.3 GB in $TMPDIR.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from core.store import screens
from core.store.database import Database
from core.store.screens import QueueOrder

NOW = 1_800_000_000
PRODUCTS, PUBLISHED, QUEUED = 1_000, 50_000, 100_000
HEALTHY, FAILING, BLOCKED = 60, 200, 50
FAILED_FILES = 20
READINGS = 7
NUMBERS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?)"
FILL = (
    f"INSERT INTO mirrors (id, name, protocol, url, destination, polled_at) {NUMBERS} "
    f"SELECT x, 'mirror' || x, 'ipp', 'http://host/ds', '/data/' || x, {NOW} FROM n",
    f"INSERT INTO products (id, mirror_id, name, description, selected, polled_at) {NUMBERS} "
    f"SELECT x, x % 4 + 1, 'product.' || x, 'what a catalogue says of it', 1, {NOW} FROM n",
    f"""INSERT INTO filesets (id, product_id, seq, place, name, registered, type, columns, state, trouble,
                              files, bytes, discovered_at, queued_at, published_at) {NUMBERS}
        SELECT x, iif(x % 2, 1, x % {PRODUCTS} + 1), x, x, 'o' || x || '.chip.abcdefgh', {NOW} - 1000000 + x, 'IPP',
               '{{"stage":"chip","camera":"gpc1","note":"some more text"}}',
               iif(x <= {PUBLISHED}, 'published', iif(x <= {PUBLISHED} + {QUEUED}, 'queued', 'transferring')),
               CASE WHEN x > {PUBLISHED} + {QUEUED} + {HEALTHY} + {FAILING} THEN 'quarantined'
                    WHEN x > {PUBLISHED} + {QUEUED} + {HEALTHY} THEN 'failed' ELSE '' END,
               ?, ? * 10000, {NOW}, {NOW}, iif(x <= {PUBLISHED}, {NOW}, NULL) FROM n""",
    f"""INSERT INTO files (id, name, size, digest, type, state, failure_kind, failure, next_try) {NUMBERS}
        SELECT s.id << 24 | x, s.name || '.' || x || '.fits', 10000, '0123456789abcdef0123456789abcdef', 'chip',
               CASE WHEN s.trouble <> '' AND x <= {FAILED_FILES}
                         THEN iif(s.trouble = 'failed', 'retry_wait', 'quarantined')
                    WHEN s.state = 'transferring' AND x % 2 THEN 'staged'
                    WHEN s.state = 'transferring' AND x = 2 THEN 'active' ELSE 'pending' END,
               iif(s.trouble <> '' AND x <= {FAILED_FILES}, iif(x % 2, 'integrity', 'transient'), NULL),
               iif(s.trouble <> '' AND x <= {FAILED_FILES}, 'connection reset by peer', NULL),
               iif(s.trouble = 'failed' AND x <= {FAILED_FILES}, {NOW} + x, NULL)
        FROM filesets s, n WHERE s.state <> 'published'""",
    """INSERT INTO counters SELECT s.product_id, 'file', f.state, '', count(*), count(*), sum(f.size)
       FROM filesets s JOIN files f ON f.id BETWEEN s.id << 24 AND ((s.id + 1) << 24) - 1 GROUP BY 1, 3""",
    "INSERT INTO transfers (file_id, host, started_at, received, rate, lease) "
    f"SELECT id << 24 | 2, 'host', {NOW}, 5000, 1e6, 1 FROM filesets "
    "WHERE state = 'transferring' AND trouble = ''",
    "INSERT INTO meters SELECT id, 1000, 10000000 FROM products",
    f"INSERT INTO disks {NUMBERS} SELECT m.id, {NOW} - x * 60, 1000000000000 + x * 1000000, 2000000000000 "
    "FROM mirrors m, n",
    f"INSERT INTO history {NUMBERS} SELECT {NOW} - x * 10, p.id, 100000 FROM n, products p WHERE p.id <= 20",
)


async def fill(path: Path, files: int) -> None:
    filesets = PUBLISHED + QUEUED + HEALTHY + FAILING + BLOCKED
    each = max(1, files // (filesets - PUBLISHED))
    counts = [(4,), (PRODUCTS,), (filesets, each, each), (each,), (), (), (), (1440,), (8640,)]
    async with await Database.open_writer(path) as db:
        await db.run("DROP TRIGGER files_count_insert")  # counted below, at once
        async with db.transaction():
            for statement, numbers in zip(FILL, counts, strict=True):
                await db.run(statement, numbers)
        number = await db.value("SELECT count(*) FROM files")
    sys.stdout.write(f"{number:,} files, {path.stat().st_size / 1e9:.1f} GB\n")


async def timed(what: str, read: Callable[[], Awaitable[Any]]) -> Any:
    times = []
    for _ in range(READINGS):
        begun = time.perf_counter()
        found = await read()
        times.append(time.perf_counter() - begun)
    number = f"{len(found):,}" if hasattr(found, "__len__") else ""
    sys.stdout.write(f"{what:<38} {sorted(times)[READINGS // 2] * 1000:8.2f} ms  {number:>8}\n")
    return found


async def measure(path: Path) -> None:
    async with await Database.open_reader(path) as db:
        known = await timed("overview", lambda: screens.overview(db, NOW))
        for order in QueueOrder:
            await timed(f"queue_ids, by {order}", partial(screens.queue_ids, db, order))
        await timed("queue_ids, filtered", lambda: screens.queue_ids(db, like="33"))
        await timed("queue_ids, filtered and inverted", lambda: screens.queue_ids(db, like="!33"))
        await timed("queue_ids, problems", lambda: screens.queue_ids(db, problems=True))
        ids = await screens.queue_ids(db)
        await timed("queue_lines, under way", lambda: screens.queue_lines(db, ids[:60]))
        await timed("queue_lines, failing", lambda: screens.queue_lines(db, ids[60:120]))
        await timed("queue_lines, waiting", lambda: screens.queue_lines(db, ids[50_000:50_060]))
        groups = await timed("failure_groups", lambda: screens.failure_groups(db))
        await timed("failure_groups, filtered", lambda: screens.failure_groups(db, "33"))
        await timed("failure_lines, of no group", lambda: screens.failure_lines(db, groups=[]))
        largest = max(groups, key=lambda group: group.failures)
        await timed("failure_lines, of the largest group", lambda: screens.failure_lines(db, groups=[largest.key]))
        await timed("throughput, an hour", lambda: screens.throughput(db, NOW, 3600, 60))
        await timed("throughput, a day", lambda: screens.throughput(db, NOW, 86_400, 60))
        await timed("product_details", lambda: screens.product_details(db, 1, NOW, known))
        await timed("fileset_details", lambda: screens.fileset_details(db, ids[0]))
        await timed("file_lines", lambda: screens.file_lines(db, ids[0], 0, 5000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000, help="in all")
    parser.add_argument("--keep", type=Path, help="where the state is made, and kept: the next run only reads it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = options.keep or Path(name) / "state.db"
        if not path.exists():
            asyncio.run(fill(path, options.files))
        asyncio.run(measure(path))


if __name__ == "__main__":
    main()
