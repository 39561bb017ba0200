"""Thousands of failures are some lines: each group is opened, understood and retried as one thing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.store.ids import POSITION_BITS
from tests.screens import night
from tests.tui.playing import Play, playing

WRONG, WAITING = "540 files", "3,780 files"
IN_LINES = "3 Failed 4,324 in 6 lines"
MORE = f"""
WITH n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5)
INSERT INTO files (id, name, size, digest, type, state, failure_kind, failure)
SELECT s.id << {POSITION_BITS} | x, 'more.' || x, 1, NULL, 'fits', 'quarantined', 'integrity', 'wrong'
FROM filesets s, n WHERE s.name = 'ipp-misc.04097'
"""
"""Five more failures of a fileset that has one."""


def rows(play: Play) -> list[str]:
    """Return the rows of the failed pane."""
    return [line for line in play.screen() if re.search(r"( in [0-9ms]+|quarantine) │", line)]


async def test_much_that_failed_in_one_way_is_one_line(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.press("3")
        await play.sees(IN_LINES, "3,782 to retry, 542 in quarantine")
        assert "integrity" in await play.sees("gpc1-raw", f"+ {WRONG}", "came twice", "quarantine")
        assert "transient" in await play.sees("gpc1-raw", f"+ {WAITING}", "503 Service", "in 1m00s")
        await play.to("3 Failed", WRONG)
        await play.sees("failed", "540 files in 30 filesets")


async def test_a_group_is_opened_in_its_place_and_closed(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        for opening, closing in (("enter", "enter"), ("right", "left"), ("enter", "escape")):
            await play.to("3 Failed", WRONG)
            await play.press(opening)
            await play.sees("3 Failed 4,324 in 546 lines")
            await play.on("3 Failed", f"- {WRONG}")
            await play.press("j")
            await play.on("3 Failed", "…08120….00.fits")
            if closing == "enter":
                await play.press("k")
            await play.press(closing)
            await play.sees(IN_LINES)
            await play.on("3 Failed", f"+ {WRONG}")


async def test_thousands_of_failures_are_scrolled_while_others_come(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.to("3 Failed", WAITING)
        await play.press("enter")
        await play.sees("3 Failed 4,324 in 3,786 lines")
        await play.press("pagedown", "pagedown", "pagedown")
        await play.stage.settled()
        further = cell(play)
        assert re.fullmatch(r"…\d+….\d\d.fits", further)
        await play.press("G")
        await play.stage.settled()
        assert cell(play) != further
        await play.press("pageup", "pageup")
        await play.stage.settled()
        stay, line = cell(play), place(play)
        for later in ("failing", "gone again"):
            await play.change(MORE if later == "failing" else "DELETE FROM files WHERE name LIKE 'more.%'")
            play.now[0] += 2
            await play.sees("3 Failed 4,329" if later == "failing" else "3 Failed 4,324")
            assert (cell(play), place(play)) == (stay, line), later
        await play.press("g")
        await play.on("3 Failed", "gpc1-raw", f"+ {WRONG}")


def cell(play: Play) -> str:
    """Return what the row under the cursor of the failed pane is about."""
    return play.cursor("3 Failed").split()[3]


def place(play: Play) -> int:
    """Return the line of the screen that the cursor of the failed pane is on."""
    screen = play.screen()
    return screen.index(play.cursor("3 Failed"), next(at for at, line in enumerate(screen) if "─ 3 Failed" in line))


async def test_one_key_retries_all_of_a_group_by_name(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.to("3 Failed", WRONG)
        await play.press("r")
        await play.sees("Retry 30 filesets?")
        await play.sees("ps1/gpc1-raw/gpc1-raw.08120")
        await play.press("y")
        [(kind, target)] = await play.wished(1)
        assert kind == "retry"
        assert len(target["filesets"]) == 30
        assert all(name.startswith("ps1/gpc1-raw/") for name in target["filesets"])


async def test_marks_of_groups_and_single_failures_are_hit_together(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.to("3 Failed", WRONG)
        await play.press("space", "space")
        await play.sees("3 Failed", "2 marked")
        await play.press("h")
        await play.sees("Hold 31 filesets?")
        await play.press("y")
        [(kind, target)] = await play.wished(1)
        assert (kind, len(target["filesets"])) == ("hold", 31)
        assert "ps1/ipp-misc/ipp-misc.04097" in target["filesets"]


async def test_a_filter_counts_and_hits_what_it_lets_through(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.press("3", "/", *"08120", "enter")
        await play.sees("3 Failed 18 in 1 line", "/08120")
        await play.sees("gpc1-raw", "+ 18 files")
        await play.press("R")
        [(kind, target)] = await play.wished(1)
        assert (kind, target["filesets"]) == ("retry", ["ps1/gpc1-raw/gpc1-raw.08120"])


async def test_a_product_tells_what_of_it_failed_whatever_the_filter(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.press("3", "/", *"nothing like it", "enter")
        await play.sees("3 Failed 0")
        await play.to("1 Products", "gpc1-raw")
        await play.press("e")
        await play.sees("540 files", "x integrity")
        await play.sees("540 in quarantine")
        await play.sees("3,780 to be tried again")
        assert not [line for line in play.screen() if "[f]iles" in line]
        await play.press("escape")
        await play.to("1 Products", "md-al")
        await play.sees("Nothing of it has failed.")


async def test_groups_are_sorted_as_failures_are(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.press("3", "s", "s")
        await play.sees("try▲", "next try ")
        await play.press("s")
        await play.sees("next try▲")
        assert WAITING in rows(play)[0]
        await play.press("S")
        await play.sees("next try▼")
        assert WAITING in rows(play)[-1]


async def test_the_cursor_stays_on_what_becomes_part_of_a_group(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.to("3 Failed", "…04097/c…alog.smf")
        await play.change(MORE)
        await play.on("3 Failed", "ipp-misc", "+ 6 files")


async def test_evidence_of_a_whole_group_is_accepted_after_a_question(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.to("3 Failed", WRONG)
        await play.press("A")
        await play.sees("only files in quarantine that came twice")
        await play.change(
            "UPDATE files SET seen_size = 5, seen_digest = 'abc' WHERE state = 'quarantined' AND name = 'chip.03.fits'"
        )
        play.now[0] += 2
        await play.stage.settled()
        await play.press("A")
        await play.sees("Accept what came of 30 filesets?")
        await play.sees("came 5 bytes, MD5 abc")
        await play.press("y")
        [(kind, target)] = await play.wished(1)
        assert (kind, len(target["filesets"])) == ("accept", 30)


async def test_a_few_failures_are_lines_of_their_own(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("3")
        title = await play.sees("3 Failed 4 ", "2 to retry, 2 in quarantine")
        assert "lines" not in title
        await play.sees("integrity", "ipp-misc", "…04097/c…alog.smf", "MD5 is 9e107d9d3", "quarantine")
        await play.pilot.resize_terminal(200, 50)
        await play.sees("integrity", "ipp-misc.04097/catalog.smf", "the index says")


@pytest.mark.parametrize(("columns", "lines"), [(120, 40), (80, 24)])
async def test_each_row_tells_its_product_and_why_in_the_space_there_is(
    tmp_path: Path, columns: int, lines: int
) -> None:
    async with playing(tmp_path, night.build, columns, lines) as play:
        await play.press("3")
        await play.sees("kind", "product", "what", "why", "try", "next try")
        await play.sees("missing", "gpc1-raw", "…08119/c…alog.smf", "404 Not Found: t…    2  in 11m20s")
        await play.sees("transient", "diff-nightly", "…05413/c…alog.smf", "503 Service Unav…    4  in 22m40s")


async def test_what_is_held_is_not_forgotten_when_nothing_else_has_failed(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.change("UPDATE filesets SET trouble = '', state = 'held' WHERE trouble <> ''")
        await play.change("UPDATE files SET state = 'pending' WHERE state IN ('retry_wait', 'quarantined')")
        await play.change("DELETE FROM rejections")
        await play.sees("nothing has failed, but 3 filesets are held")
        await play.sees("2 shows what is, at its end if sorted (s) by state; h releases it")
        await play.press("2")
        while play.app.main.preferences.queue_sort != "state":
            await play.press("s")
            await play.stage.settled()
        await play.sees("2 Queue", "sort:state")
        await play.press("G")
        await play.on("2 Queue", "= held")


async def test_what_is_due_and_not_under_way_tells_for_what_it_waits(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.to("3 Failed", "transient")
        play.now[0] += 3600
        await play.sees("diff-nightly", "transient", "its turn")
        await play.sees("next try", "when it is its turn")
        await play.change("UPDATE mirrors SET paused = 'by root'")
        await play.sees("diff-nightly", "transient", "paused")
        await play.sees("next try", "when resumed")
        await play.change("UPDATE mirrors SET stopped = 'disk full', stopped_kind = 'disk'")
        await play.sees("diff-nightly", "transient", "stopped")
        play.lease.release()
        await play.sees("diff-nightly", "transient", "no engine")
        await play.sees("next try", "when an engine runs")


async def test_a_group_that_is_due_tells_for_what_it_waits(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.to("3 Failed", WAITING)
        await play.sees("next try", "07:59")
        play.now[0] += 3600
        await play.sees("gpc1-raw", f"+ {WAITING}", "its turn")
        await play.sees("next try", "when it is its turn")


async def test_a_group_has_one_page_and_tells_where_its_list_is_opened(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.to("3 Failed", WAITING)
        await play.sees("Enter opens the list")
        await play.sees("[o]verview")
        assert not [line for line in play.screen() if "[e]rrors" in line]
