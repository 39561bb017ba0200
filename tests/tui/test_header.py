"""The first line: what is wrong, the worst first, who moves the bytes, and how full the disk is, on any screen."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.store.database import Database
from tests.screens import disaster, night
from tests.screens.night import NOW
from tests.tui.playing import Play, playing

SCREENS = [(120, 40), (80, 24)]
HOST = "mirror-42.example.org"
ATTACHED, OWN = "4711@mirror-42", "LIVE pid 4711"


async def everything(folder: Path) -> Path:
    """Write a state in which there is one of every trouble."""
    file = await disaster.build(folder)
    async with await Database.open_writer(folder / "mirror.db") as db, db.transaction():
        await db.run("UPDATE products SET paused = NULL WHERE name = 'md-fix'")
        await db.run("UPDATE products SET paused = 'by mira' WHERE name = 'ipp-misc'")
        await db.run(
            "INSERT INTO products (mirror_id, name, selected, polled_at) VALUES (1, 'new', 1, NULL), (1, 'old', 1, 1)"
        )
        await db.run(
            """UPDATE filesets SET state = 'damaged', trouble = 'quarantined', failure_kind = 'damaged', failure = 'rot'
               WHERE name = 'md-fix.04007'"""
        )
    return file


def pretend(play: Play, *, own: bool) -> None:
    """Let the engine be one that this dashboard, or another one, has started."""
    holder = {"pid": 4711, "host": "dc-3" if own else HOST, "since": NOW - 86_400}
    play.lease.path.write_text(json.dumps({**holder, "starter": os.getpid()} if own else holder))


async def test_the_worst_is_told_first_with_its_number(tmp_path: Path) -> None:
    async with playing(tmp_path, everything, 200, 50) as play:
        line = await play.sees("mirrortui", "stopped")
        told = ["x2 stopped", "!1 alarm", "x1 damaged", "!1 lag", "?2 unlisted", "x31 blocked", "x4,324 failed"]
        told += ["?1 unknown", "=1 paused"]
        assert "  ".join(told) in line


@pytest.mark.parametrize(("columns", "lines"), SCREENS)
async def test_the_worst_and_the_engine_are_told_on_any_screen(tmp_path: Path, columns: int, lines: int) -> None:
    async with playing(tmp_path, everything, columns, lines) as play:
        pretend(play, own=False)
        line = await play.sees(ATTACHED)
        worst, _, rest = line.partition("stop2 alarm1 dam1")
        assert "│ attached" in worst
        assert ("lag1 unl2 block31 fail4324 unknown1 paused1" in rest) == (columns == 120), (
            "all for which there is room"
        )
        assert ("+" in rest) == (columns == 80), "how many more kinds of trouble there are"
        assert "disk 95%" in rest, "it is full: that stays"
        pretend(play, own=True)
        line = await play.sees(OWN)
        assert "attached" not in line


@pytest.mark.parametrize(("columns", "lines"), SCREENS)
async def test_a_disk_that_will_soon_be_full_is_told_on_any_screen(tmp_path: Path, columns: int, lines: int) -> None:
    async with playing(tmp_path, everything, columns, lines) as play:
        pretend(play, own=False)
        await play.change("UPDATE mirrors SET stopped = NULL, stopped_kind = NULL")
        await play.change("DELETE FROM disks")
        for hours, free in ((10, 4_000), (9, 3_900), (5, 3_500), (0, 3_000)):
            await play.change("INSERT INTO disks VALUES (1, ?, ?, 9000)", int(NOW) - 3600 * hours, free)
        line = await play.sees(ATTACHED)
        assert "full" not in line, "in 30 hours"
        await play.change("UPDATE disks SET free = free - 2400")
        await play.sees(ATTACHED, "full in 6h")


REST = "INSERT INTO hosts VALUES ('datastore.example.org:80', ?, 'the server asked to be left alone')"


async def test_a_host_that_is_left_alone_is_told_wherever_something_waits_for_it(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 160, 50) as play:
        await play.change(REST, NOW + 902)
        play.now[0] += 2
        await play.sees("!1 lag", "failed  ~ datastore.example.org rests 15m00s")
        await play.sees("diff-nightly", "transient", "in 22m38s")
        await play.sees("gpc1-raw", "missing", "in 15m00s")
        await play.press("2", "/", *"diff-nightly", "enter")
        await play.sees("diff-nightly.05413", "~ host rests")
        await play.sees("diff-nightly.05414", "~ host rests")
        play.now[0] += 901
        await play.sees("diff-nightly.05414", "- queued")
        assert "rests" not in play.screen()[0]


async def test_while_nothing_moves_there_is_no_time_of_arrival(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        play.now[0] += night.TEN
        await play.change("UPDATE transfers SET received = received + 50000000")
        assert "eta -" not in await play.sees("75.0 MB/s", "eta ")
        await play.change("DELETE FROM transfers")
        await play.sees("0 transfers", "queued", "eta -")


async def test_an_engine_that_drains_says_so_wherever_it_was_started(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        pretend(play, own=False)
        await play.change("UPDATE settings SET value = 'draining' WHERE key = 'phase'")
        await play.sees(f"attached pid {ATTACHED}", ", draining")
        pretend(play, own=True)
        await play.sees("DRAINING pid 4711")


async def test_limits_are_one_part_apart_from_the_others(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 200, 50) as play:
        await play.change("INSERT INTO settings VALUES ('limit_bandwidth', '50000000'), ('limit_transfers', '4')")
        await play.sees("=1 paused │ limit 50.0 MB/s, 4 transfers ")
        await play.pilot.resize_terminal(80, 24)
        line = await play.sees("lag1 block1 fail4 paused1 │ limited ")
        assert "disk 82%" in line, "there is room for it, too"


async def test_the_limits_in_force_stand_beside_what_they_limit_on_any_screen(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.sees("0 B/s ", "60m, max 214.", "1,750 queued")
        await play.change("INSERT INTO settings VALUES ('limit_bandwidth', '50000000')")
        await play.sees("0 B/s of 50.0 MB/s ▇", "1,750 queued", "eta -")
        await play.change("INSERT INTO settings VALUES ('limit_transfers', '24')")
        await play.sees("0 B/s of 50.0 MB/s ", "of 24 transfers  1,750 queued", "eta -")
        await play.change("DELETE FROM settings WHERE key = 'limit_bandwidth'")
        await play.sees("0 B/s ▇", "of 24 transfers  1,750 queued")


async def test_a_source_that_is_not_listed_counts_once(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 160, 50) as play:
        await play.change("UPDATE mirrors SET error_kind = 'transient', error = '503'")
        await play.sees("?2 unlisted")
        await play.change("UPDATE products SET error_kind = 'transient', error = '503' WHERE id IN (1, 3, 4)")
        await play.sees("?4 unlisted")


async def test_a_full_disk_is_never_said_to_be_empty(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.change("DELETE FROM disks")
        await play.change("INSERT INTO disks VALUES (1, ?, 9000, 9000)", int(NOW))
        await play.sees("disk 0%")
        await play.change("UPDATE mirrors SET stopped = 'disk full', stopped_kind = 'disk' WHERE name = 'ps1'")
        await play.sees("x1 stopped", "disk fails")
        assert "0%" not in play.screen()[0]
        await play.change("UPDATE disks SET free = 10")
        await play.sees("x1 stopped", "disk 100%")


async def test_filesets_that_operators_hold_are_not_forgotten(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 160, 50) as play:
        await play.change(
            "UPDATE filesets SET trouble = '', state = 'held' WHERE name LIKE 'ipp-misc%' AND state <> 'published'"
        )
        await play.sees("=1 held")
        await play.sees("ps1/ipp-misc", "= held")


@pytest.mark.parametrize("columns", [80, 86, 92, 98, 104, 110])
async def test_no_problem_is_left_out_for_which_there_is_room(tmp_path: Path, columns: int) -> None:
    async with playing(tmp_path, everything, columns, 24) as play:
        await play.change("INSERT INTO settings VALUES ('limit_bandwidth', '50000000')")
        line = await play.sees("stop2 alarm1")
        if "+" in line:
            assert " " * len("  fail4324 ") not in line


async def test_what_is_late_counts_as_that_whatever_else_is_the_matter_with_it(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 160, 50) as play:
        await play.sees("!1 lag  x1 blocked  x4 failed  =1 paused")
        await play.change("UPDATE products SET paused = 'by root'")
        await play.sees("!1 lag  x1 blocked  x4 failed  =7 paused")
