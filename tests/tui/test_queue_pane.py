"""The queue tells of each fileset whose it is, what it waits for, and its priority."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.store.ids import sql_fileset_of
from tests.screens import night
from tests.tui.playing import playing
from tui.panes import queue
from tui.widgets.columns import arrange

OF = f"{sql_fileset_of('id')} = ?"


@pytest.mark.parametrize(("columns", "lines"), [(120, 40), (80, 24)])
async def test_product_and_priority_are_columns(tmp_path: Path, columns: int, lines: int) -> None:
    async with playing(tmp_path, night.build, columns, lines) as play:
        await play.press("2")
        await play.sees("fileset", "product", "state", "prio", "progress", "B/s", "eta")
        await play.sees("CMIP6.Sc…s.04318", "CMIP6.S…IP.tas", "> fetching")
        await play.change("UPDATE filesets SET priority = 12 WHERE name LIKE 'CMIP6%.tas.04318'")
        await play.sees("CMIP6.Sc…s.04318", "CMIP6.S…IP.tas", "> fetching", "+12")


async def test_a_row_stands_as_it_was_read_until_it_is_read_again(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        main = play.app.main
        await play.press("2", "g")
        await play.sees("gpc1-raw.08118", "> fetching")
        main.show(replace(main.snapshot, lines={}))
        drawn = ["".join(cell.text for cell in line.cells) for line in main.lists.queue.draw()]
        assert [line for line in drawn if "gpc1-raw.08118" in line and "> fetching" in line]


async def test_of_the_first_rows_the_cursor_stays_on_the_first(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2")
        first = play.app.main.lists.queue.cursor_key
        await play.change("UPDATE filesets SET trouble = 'failed' WHERE id = ?", first)
        await play.change("UPDATE files SET state = 'pending' WHERE state = 'active' AND " + OF, first)
        await play.change("DELETE FROM transfers WHERE file_id IN (SELECT id FROM files WHERE " + OF + ")", first)
        await play.stage.until(lambda: play.app.main.lists.queue.keys[0] != first, "another first row")
        await play.on("2 Queue", "> fetching")
        assert play.app.main.lists.queue.cursor_key == play.app.main.lists.queue.keys[0]


async def test_the_state_is_what_keeps_a_fileset(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2", "/", *"gpc1-raw", "enter")
        await play.sees("gpc1-raw.08118", "> fetching")
        await play.sees("gpc1-raw.08119", "~ to retry")
        await play.sees("gpc1-raw.08120", "- queued")
        await play.change("UPDATE products SET paused = 'by mira' WHERE name = 'gpc1-raw'")
        await play.sees("gpc1-raw.08118", "> fetching")
        await play.sees("gpc1-raw.08119", "= paused")
        await play.sees("gpc1-raw.08120", "= paused")
        await play.change("UPDATE mirrors SET stopped = 'disk full', stopped_kind = 'disk' WHERE name = 'ps1'")
        await play.sees("gpc1-raw.08120", "x stopped")


async def test_what_waits_for_an_operator_says_so_while_its_product_is_paused(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2", "/", *"ipp-misc", "enter")
        await play.change("UPDATE mirrors SET paused = 'by mira'")
        await play.sees("ipp-misc.04097", "x blocked")


async def test_a_fileset_is_fetched_while_one_of_its_files_is_to_be_tried_again(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2", "/", *"08118", "enter")
        await play.change("UPDATE filesets SET trouble = 'failed' WHERE name = 'gpc1-raw.08118'")
        await play.sees("gpc1-raw.08118", "> fetching")
        await play.change("UPDATE files SET state = 'partial' WHERE state = 'active'")
        await play.sees("gpc1-raw.08118", "~ to retry")


async def test_what_is_all_here_waits_for_nothing(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.change("DELETE FROM transfers")
        await play.change("UPDATE files SET state = 'partial' WHERE state = 'active'")
        await play.sees("gpc1-raw.08118", "- waiting")
        of = sql_fileset_of("id")
        await play.change(
            f"UPDATE files SET state = 'staged' WHERE {of} = (SELECT id FROM filesets WHERE name = 'gpc1-raw.08118')"
        )
        await play.sees("gpc1-raw.08118", "* staged")


def test_on_a_narrow_screen_rate_and_arrival_matter_more_than_the_priority() -> None:
    shown = [queue.COLUMNS[place.column].key for place in arrange(queue.COLUMNS, 72)]
    assert shown == ["name", "product", "state", "progress", "rate", "eta"]
