"""What the main screen tells without a key, and after a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screens import disaster, night
from tests.tui.playing import playing
from tui.widgets import footer


async def test_on_a_narrow_screen_the_why_of_the_cursors_row_stands_in_the_border(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.press("G", "k", "k", "k", "k")
        line = await play.sees("╰─ ", "waiting to retry until")
        assert "│" not in line
        await play.press("2", "G")
        await play.press("3")
        await play.sees("╰─ MD5 is 9e107d9d")
        await play.press("j")
        await play.sees("╰─ the server answered 404 Not Found")


async def test_the_why_of_a_failing_product_is_what_its_failures_say(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.press("/", *"ipp-misc", "enter")
        await play.sees("╰─ blocked by 1 in quarantine: MD5 is 9e107d9d")


async def test_a_limit_that_is_reached_is_the_why_of_what_is_fetched(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        play.now[0] += night.TEN
        await play.change("UPDATE transfers SET received = received + 50000000")
        await play.sees("╰─ the source gives", "current in")
        await play.change("INSERT INTO settings VALUES ('limit_bandwidth', '1000000')")
        await play.sees("╰─ bandwidth limit of 1.0 MB/s reached: current in")


async def test_beside_the_details_the_border_is_blank(tmp_path: Path) -> None:
    async with playing(tmp_path, disaster.build) as play:
        assert not [line for line in play.screen() if line.startswith("╰─ ")]
        await play.pilot.resize_terminal(80, 24)
        await play.sees("╰─ ", "certificate is refused")


@pytest.mark.parametrize("columns", [80, 120])
async def test_how_far_a_product_may_lag_and_when_it_was_polled_are_columns(tmp_path: Path, columns: int) -> None:
    async with playing(tmp_path, night.build, columns) as play:
        await play.sees("product", "lag", "sla", "to go", "B/s", "eta", "polled")
        await play.sees("! LAG", "6h12m", "2h00m", "4m00s")


async def test_a_key_that_means_nothing_is_told_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footer, "HINT_SECONDS", 0.2)
    async with playing(tmp_path, night.build) as play:
        await play.pilot.press("T")
        await play.sees("T is no command here", "? Help")
        await play.sees("Space Mark", "? Help")
        await play.pilot.press("j")
        await play.sees("Space Mark")


async def test_when_the_engine_dies_no_rate_is_left_on_the_screen(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        play.now[0] += night.TEN
        await play.change("UPDATE transfers SET received = received + 50000000")
        await play.sees("MB/s", "60m, max")
        await play.sees("! LAG", "M ")
        play.lease.release()
        await play.sees("NO ENGINE")
        screen = play.screen()
        assert screen[1].strip().startswith("- ")
        assert not [line for line in screen[2:] if "> fetching" in line]
        lagging = await play.sees("! LAG", "813.2 GB")
        assert lagging.partition("813.2 GB")[2].split()[0] == "-", "no rate, and nobody knows when"


async def test_files_that_wait_tell_for_what(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("3", "G")
        await play.sees("states", "1 waiting to retry")
        await play.press("enter", "f")
        await play.sees("catalog.smf", "retry 22m40s")
