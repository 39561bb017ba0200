"""What the main screen tells without a key, and after a wrong one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.store.database import Database
from tests.screens import disaster, night
from tests.tui.playing import playing
from tui.snapshot import Snapshot
from tui.widgets import footer


async def test_on_a_narrow_screen_the_why_of_the_cursors_row_stands_in_the_border(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.press("G", "k", "k", "k", "k", "k")
        line = await play.sees("╰─ ", "1 fileset failing: the server answered 503 Service Unavailable; next try ")
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


async def test_a_page_stays_until_that_of_the_next_row_is_read(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        main, prompt = play.app.main, "Put the cursor on a product"
        await play.press("2", "j", "enter")
        await play.sees("registered")
        unread = replace(main.snapshot, details=None, view=replace(main.snapshot.view, subject=None))
        main.show(unread)
        drawn = "\n".join("".join(cell.text for cell in line.cells) for line in main.details.text.draw())
        assert ("registered" in drawn, prompt in drawn) == (True, False)
        await play.press("2", "/", *"no such fileset")
        await play.sees(prompt)


async def test_a_limit_that_is_reached_is_the_why_of_what_is_fetched(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        play.now[0] += night.TEN
        await play.change("UPDATE transfers SET received = received + 50000000")
        await play.sees("╰─ datastore.example.org gives 3", " needed; current in")
        await play.change("INSERT INTO settings VALUES ('limit_bandwidth', '1000000')")
        await play.sees("╰─ bandwidth limit of 1.0 MB/s reached, 112.7 MB/s needed; current in")


async def test_a_paused_product_is_paused_and_its_failures_are_not_why(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.press("/", *"gpc1-raw", "enter")
        await play.change("DELETE FROM transfers")
        await play.sees("╰─ 1 fileset failing: the server answered 404 Not Found")
        await play.change("UPDATE products SET paused = 'by root' WHERE name = 'gpc1-raw'")
        line = await play.sees("╰─ paused by root")
        assert "404" not in line


async def test_most_of_what_failed_is_the_why_with_its_number(tmp_path: Path) -> None:
    async with playing(tmp_path, disaster.build, 90, 24) as play:
        await play.change("DELETE FROM hosts")
        await play.change("UPDATE products SET error = NULL, error_kind = NULL")
        await play.press("/", *"gpc1-raw", "enter")
        await play.sees("╰─ blocked by 30 in quarantine: came twice with the same wrong MD5")
        await play.change("UPDATE filesets SET trouble = 'failed' WHERE trouble = 'quarantined'")
        await play.change("DELETE FROM files WHERE state = 'quarantined'")
        await play.sees("╰─ 241 filesets failing: the server answered 503 Service Unavailable (210 of them); ")


async def test_after_a_limit_or_a_pause_the_rate_is_taken_anew(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        play.now[0] += night.TEN
        await play.change("UPDATE transfers SET received = received + 10000000")
        await play.sees("15.0 MB/s", "60m, max")
        await play.change("INSERT INTO settings VALUES ('limit_bandwidth', '2000000')")
        await play.sees("  2.0 MB/s of 2.0 MB/s")
        play.now[0] += 2
        await play.change("UPDATE transfers SET received = received + 200000")
        await play.sees("  1.5 MB/s", "60m, max")
        await play.change("UPDATE mirrors SET paused = 'by root'")
        await play.sees("paused by root")
        play.now[0] += 2
        await play.sees("  0 B/s", "60m, max")


@pytest.mark.parametrize(
    "standing",
    [
        "UPDATE mirrors SET paused = 'by root'",
        "UPDATE products SET paused = 'by root'",
        f"INSERT INTO hosts VALUES ('datastore.example.org:80', {night.NOW + 900}, 'asked to be left alone')",
        "DELETE FROM transfers",
    ],
    ids=["mirror paused", "products paused", "host rests", "nothing moves"],
)
async def test_what_stands_still_has_no_time_of_arrival(tmp_path: Path, standing: str) -> None:
    async with playing(tmp_path, night.build) as play:
        play.now[0] += night.TEN
        await play.change("UPDATE transfers SET received = received + 50000000")
        await play.sees("ps1/gpc1-raw", "622.1 GB  15.0M 11h31m")
        await play.change(standing)
        await play.sees("ps1/gpc1-raw", "622.1 GB ", "-  4m")


async def test_the_highest_rate_of_the_hour_is_that_of_the_state_unless_it_is_that_of_now(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.sees("60m, max 214.")
        play.now[0] += night.TEN
        await play.change("UPDATE transfers SET received = received + 200000000")
        await play.sees("300.0 MB/s", "60m, max 300.0 MB/s")
        await play.change("INSERT INTO history VALUES (?, 1, 2700000000)", int(play.now[0]) // 10 * 10)
        play.now[0] += night.TEN
        await play.sees("60m, max 270.0 MB/s")


@pytest.mark.parametrize("columns", [100, 120, 200])
async def test_the_history_of_a_product_is_one_line_of_its_details(tmp_path: Path, columns: int) -> None:
    async with playing(tmp_path, night.build, columns) as play:
        line = await play.sees("1 h  ")
        screen = play.screen()
        history = line.rpartition("1 h")[2].strip(" │▁")
        assert len(history) > columns // 8
        below = screen[screen.index(line) + 1]
        assert "source" in below, "it takes one line"


async def with_many(folder: Path) -> Path:
    """Write a state with thirty products more that were never listed."""
    file = await night.build(folder)
    async with await Database.open_writer(folder / "mirror.db") as db, db.transaction():
        await db.run_many(
            "INSERT INTO products (mirror_id, name, selected) VALUES (1, ?, 1)",
            [(f"more.{at:02d}",) for at in range(30)],
        )
    return file


async def test_problems_out_of_sight_are_counted_in_the_border(tmp_path: Path) -> None:
    async with playing(tmp_path, with_many, 80, 24) as play:
        rows = play.app.main.lists.products.page
        await play.sees("1 Products", f"! {35 - rows} below")
        await play.press("3", "1", *"j" * rows)
        await play.sees("1 Products", f"! 1 above, {34 - rows} below")
        await play.press("G")
        title = await play.sees("1 Products", " above")
        assert "below" not in title


async def test_at_first_the_cursor_is_on_the_worst_however_the_list_is_sorted(tmp_path: Path) -> None:
    async def the_same(folder: Path) -> Path:
        file = folder / "mirrortui.toml"
        return file if file.exists() else await night.build(folder)

    async with playing(tmp_path, the_same, 80, 24) as play:
        await play.on("1 Products", "! LAG")
        await play.press("s", "s", "3")
        await play.sees("1 Products", "sort:product")
    async with playing(tmp_path, the_same, 80, 24) as play:
        await play.sees("1 Products", "sort:product")
        await play.on("1 Products", "! LAG")


async def test_what_an_operator_has_paused_is_not_among_the_worst(tmp_path: Path) -> None:
    async with playing(tmp_path, disaster.build, 120, 40) as play:
        await play.change("UPDATE mirrors SET paused = 'by mira', stopped = NULL WHERE name = 'lsst'")
        await play.sees("= paused", "lsst/")
        screen = play.screen()
        rows = screen[: next(at for at, line in enumerate(screen) if "─ 2 Queue" in line)]
        words = ("x stopped", "! ALARM", "! LAG", "? unlisted", "= paused")
        states = [word for line in rows[3:] for word in words if line.startswith("│") and word in line[:40]]
        assert states[:2] == ["x stopped", "x stopped"]
        assert states[-1] == "= paused"
        assert states.index("! ALARM") < states.index("! LAG") < states.index("? unlisted") < states.index("= paused")


async def test_a_mirror_without_products_is_sorted_by_its_state_among_the_others(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.change(
            """INSERT INTO mirrors (id, name, protocol, url, destination, error_kind, error)
               VALUES (3, 'lsst', 'ipp', 'http://lsst.example.org/ds', '/srv/lsst', 'transient', '503')"""
        )
        await play.sees("lsst/", "? unlisted")

        def order() -> list[str]:
            words = ("lsst/", "! LAG", "+ current", ". available")
            return [word for line in play.screen() for word in words if line.startswith("│") and word in line[:40]]

        assert order()[:2] == ["! LAG", "lsst/"]
        await play.press("1", "s")
        await play.sees("1 Products", "sort:lag")
        await play.stage.settled()
        assert order().index("! LAG") < order().index("lsst/") < order().index(". available")


async def test_a_product_of_whose_rows_some_were_refused_is_a_problem(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.sees("IP.pr", "+ current")
        await play.change(
            """INSERT INTO rejections (product_id, mirror_id, line, name, reason, seen_at)
               VALUES (9, 2, 7, '..', 'a reserved name', 1)"""
        )
        await play.sees("IP.pr", "x refused")
        await play.press("1", "!")
        await play.sees("1 Products", "problems only")
        await play.sees("IP.pr", "x refused")


async def test_beside_the_details_the_border_is_blank(tmp_path: Path) -> None:
    async with playing(tmp_path, disaster.build) as play:
        assert not [line for line in play.screen() if line.startswith("╰─ ")]
        beside = [line.rpartition("││")[2] for line in play.screen()]
        assert sum("disk full" in line for line in beside) == 1, "the reason is told once"
        assert "x stopped" in [line.strip(" │") for line in beside], "its glyph stays at the word"
        await play.sees("then       Make room on that disk")
        await play.sees("some seconds, with p at")
        await play.press("p")
        [(kind, target)] = await play.wished(1)
        assert (kind, target["mirror"], target["product"]) == ("resume", "cmip", None)
        await play.pilot.resize_terminal(80, 24)
        await play.sees("╰─ mirror stopped: disk full: 1.9 GB free, min_free keeps 1.9 GB")


async def test_while_the_details_are_read_progress_and_the_next_try_stay_in_sight(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2", "4")
        await play.sees("fileset", "state", "progress")
        await play.sees("kind", "why", "next try")


async def test_on_a_narrow_screen_most_of_a_line_of_the_log_is_the_message(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.press("5")
        await play.sees("ps1/di…ghtly line 118 refused: a name may not contain")
        await play.pilot.resize_terminal(120, 40)
        await play.sees("ps1/diff-nightly         line 118 refused")
        await play.press("/", "z", "z", "enter", "escape")
        await play.sees("5 Log and audit, following")
        await play.on("5 Log", "nothing new")
        await play.press("k")
        await play.sees("5 Log and audit, stopped here")


async def test_the_line_that_makes_a_wish_permanent_stands_in_the_details(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.press("G", "enter")
        await play.change("UPDATE products SET selected = 1, wish = 'mirror' WHERE name = 'sts-stack'")
        await play.sees('products = ["md-*", "diff-*", "gpc1-*", "ipp-misc", "sts-stack"]')


@pytest.mark.parametrize("columns", [80, 120])
async def test_how_far_a_product_may_lag_and_when_it_was_polled_are_columns(tmp_path: Path, columns: int) -> None:
    async with playing(tmp_path, night.build, columns) as play:
        await play.sees("product", "lag", "sla", "to go", "B/s", "eta", "polled")
        await play.sees("! LAG", "6h12m", "2h00m", "4m00s")


async def test_a_key_that_means_nothing_is_told_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footer, "HINT_SECONDS", 0.2)
    async with playing(tmp_path, night.build) as play:
        await play.pilot.press("Z")
        await play.sees("Z is no command here", "? Help")
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
        lagging = await play.sees("! LAG", "811.2 GB")
        assert lagging.partition("811.2 GB")[2].split()[0] == "-", "no rate, and nobody knows when"


async def test_files_that_wait_tell_for_what(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("3", "G")
        await play.sees("states", "1 waiting to retry")
        await play.press("enter", "f")
        await play.sees("catalog.smf", "retry 22m40s")


async def test_a_dialog_has_nothing_upon_it_and_a_long_answer_is_shortened(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        play.app.tell("an answer of which there is more than there are cells, " * 3)
        await play.sees(" an answer of which", "…")
        play.app.notify("something that went wrong before", timeout=60)
        await play.sees("something that went wrong before")
        await play.press("P")
        await play.sees("Pause everything")
        assert not [line for line in play.screen() if "something that" in line]


@pytest.mark.parametrize("columns", [80, 120])
async def test_a_filter_that_hides_the_cursors_row_puts_it_on_the_first(tmp_path: Path, columns: int) -> None:
    async with playing(tmp_path, night.build, columns, 24) as play:
        await play.press("2", "G", "/", *"diff-nightly", "enter")
        await play.sees("2 Queue 61", "/diff-nightly")
        await play.stage.settled()
        queue = play.app.main.lists.queue
        assert (queue.top, queue.cursor_key) == (0, queue.keys[0])


async def test_why_nothing_moves_names_the_key_that_starts_an_engine(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        play.lease.release()
        await play.sees("╰─ no engine runs: E starts one")
        play.app.main.read_only = True
        await play.sees("╰─ no engine runs ─")


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 200])
async def test_what_a_title_has_no_room_for_is_left_out_as_a_whole(tmp_path: Path, columns: int) -> None:
    async with playing(tmp_path, night.build, columns, 24) as play:
        await play.press("3")
        title = await play.sees("3 Failed 4  2 to retry, 2 in quarantine")
        assert "…" not in title
        assert ("1 rejected" in title) == (columns == 200)


async def test_while_an_engine_is_being_started_its_absence_is_no_trouble(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        main, words = play.app.main, "there is no state file; start the engine first"

        def told(*, starting: bool) -> list[bool]:
            main.starting = starting
            main.show(Snapshot(night.NOW, trouble=words))
            return [words in text for text in (main.lists.products.empty, main.header.render().plain)]

        assert told(starting=True) == [False, False]
        assert told(starting=False) == [True, True]
