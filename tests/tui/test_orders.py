"""What orders hit, and what they leave out; what is said where there is nothing to hit."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.store.database import Database
from tests.screens import night
from tests.tui.playing import playing
from tests.tui.test_keys import press
from tui import pace, wishes
from tui.screens import lists
from tui.snapshot import Snapshot

REFUSED = """
INSERT INTO rejections (product_id, mirror_id, fileset_id, line, name, reason, seen_at)
SELECT f.product_id, p.mirror_id, f.id, 1, 'row of ' || f.name, 'no', 0
FROM filesets f JOIN products p ON p.id = f.product_id WHERE f.state = 'published' LIMIT 5
"""


async def without_products(folder: Path) -> Path:
    file = folder / "mirrortui.toml"
    file.write_text(night.CONFIGURATION)
    await (await Database.open_writer(folder / "mirror.db")).close()
    return file


async def test_what_an_order_cannot_hit_is_left_out_before_the_question(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.change(REFUSED)
        await play.sees("3 Failed 9")
        await play.press("3", "/", *"row of", "enter")
        await play.sees("3 Failed 5", "/row of")
        await press(play, "*", "x")
        await play.sees("is published: nothing to cancel, and 4 more")
        await press(play, "escape")
        await play.sees("3 Failed 9")
        await press(play, "*", "x")
        await play.sees("Cancel 3 filesets?")


async def test_a_held_fileset_is_not_fetched_next_and_the_key_that_releases_it_is_named(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.change("UPDATE filesets SET state = 'held' WHERE state = 'transferring'")
        await play.to("2 Queue", "= held")
        await press(play, "a")
        await play.sees("is held: h releases it")


async def test_what_was_begun_is_not_moved_and_its_priority_can_be_raised(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.change("DELETE FROM transfers")
        await play.to("2 Queue", "- waiting")
        await press(play, "J")
        await play.sees("was begun already: only its priority can be raised")


async def test_without_a_row_all_sources_are_polled(tmp_path: Path) -> None:
    async with playing(tmp_path, without_products) as play:
        await play.sees("reading http")
        await press(play, "u")
        [(kind, target)] = await play.wished(1)
        assert (kind, target["mirror"], target["product"]) == ("poll", None, None)
        play.lease.release()
        await play.sees("E starts an engine, which asks the source")


async def test_marks_outlive_a_filter_and_only_those_in_sight_are_hit(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2", "/", *"diff-nightly", "enter")
        await play.sees("2 Queue 61", "/diff-nightly")
        await press(play, "space", "space", "/", *"\b", "enter")
        await press(play, "escape")
        await play.sees("2 Queue 1,7", "2 marked")
        await play.press("/", *"gpc1", "enter")
        await play.sees("/gpc1", "2 marked, 2 hidden")
        await press(play, "space", "+")
        [(_, target)] = await play.wished(1)
        assert [name.split("/")[1] for name in target["filesets"]] == ["gpc1-raw"]
        await play.sees("/gpc1", "2 marked, 2 hidden")
        await press(play, "escape", "escape")
        assert not play.app.main.lists.queue.marked


async def test_a_wish_that_waits_for_an_engine_is_seen_on_its_row_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2", "g")
        play.lease.release()
        await play.sees("NO ENGINE")
        for name in ("STEADY_SECONDS", "PAINT_SECONDS"):
            monkeypatch.setattr(pace, name, 3600.0)
        await press(play, "h")
        await play.on("2 Queue", "= hold noted")
        await press(play, "x", "y")
        await play.on("2 Queue", "= noted")


async def test_an_engine_that_does_not_answer_is_told_until_it_does(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2", "g")
        await press(play, "h")
        await play.sees(" hold: waiting for the engine")
        await play.change("UPDATE commands SET state = 'done', result = 'held'")
        await play.sees(" hold: held")


async def test_a_wish_that_was_noted_is_answered_when_an_engine_has_come(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2", "g")
        play.lease.release()
        await play.sees("NO ENGINE")
        await press(play, "h")
        await play.sees(" hold: noted; no engine runs")
        play.lease.take()
        await play.change("UPDATE commands SET state = 'done', result = 'held'")
        await play.sees(" hold: held")


def gone(kind: str) -> str:
    """Return the statement after which nothing of this kind has failed."""
    return f"UPDATE files SET state = 'pending', failure_kind = NULL WHERE failure_kind = '{kind}'"


async def test_a_key_that_was_meant_for_a_row_that_went_away_does_not_hit_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "SLIP_SECONDS", 0)
    monkeypatch.setattr(lists, "COMMANDED_SECONDS", 3600)
    monkeypatch.setattr(wishes, "SILENT_SECONDS", 3600)
    async with playing(tmp_path, night.build) as play:
        await play.to("3 Failed", "missing")
        await press(play, "r")
        await play.change(gone("missing"))
        await play.sees("3 Failed 3")
        await press(play, "r")
        await play.sees("the row has just changed")
        assert len(await play.wished(1)) == 1
        await press(play, "k", "r")
        assert len(await play.wished(2)) == 2, "the cursor was moved: this row was meant"


async def test_a_row_that_goes_away_by_itself_makes_keys_unsure_for_a_shorter_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "SLIP_SECONDS", 3600)
    async with playing(tmp_path, night.build) as play:
        await play.to("3 Failed", "missing")
        await play.change(gone("missing"))
        await play.sees("3 Failed 3")
        await press(play, "r")
        await play.sees("the row has just changed")
        monkeypatch.setattr(lists, "SLIP_SECONDS", 0)
        await press(play, "r")
        assert len(await play.wished(1)) == 1


async def test_the_next_press_hits_the_same_row_wherever_it_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "SLIP_SECONDS", 0)
    monkeypatch.setattr(lists, "COMMANDED_SECONDS", 0)
    async with playing(tmp_path, night.build) as play:
        await press(play, "g", "p")
        await play.change("UPDATE products SET paused = 'by mira' WHERE name = 'md-all-rel-200907'")
        await play.on("1 Products", "ps1/md-all", "= paused")
        await play.sees("pause: waiting for the engine")
        await press(play, "u")
        await play.sees("Poll now: 'ps1/md-all-rel-200907' is paused: p resumes it")
        await press(play, "p")
        wished = await play.wished(2)
        assert [(kind, target["product"]) for kind, target in wished] == [
            ("pause", "md-all-rel-200907"),
            ("resume", "md-all-rel-200907"),
        ]


async def test_a_key_that_came_too_soon_holds_the_row_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "SLIP_SECONDS", 3600)
    async with playing(tmp_path, night.build) as play:
        queue = play.app.main.lists.queue
        await press(play, "2", "g")
        ended, held, other = queue.keys[:3]
        await play.change("UPDATE filesets SET state = 'cancelled' WHERE id = ?", ended)
        await play.stage.until(lambda: queue.cursor_key == held, "the next row under the cursor")
        await press(play, "h")
        await play.sees("the row has just changed")
        await play.change("UPDATE filesets SET priority = 9 WHERE id = ?", other)
        await play.stage.until(lambda: queue.keys[0] == other, "another first row")
        assert queue.cursor_key == held
        monkeypatch.setattr(lists, "SLIP_SECONDS", 0)
        await press(play, "h")
        [(_, target)] = await play.wished(1)
        assert [name.split("/")[1] for name in target["filesets"]] == ["md-all-rel-200907"]


async def test_orders_by_columns_without_room_are_passed_over(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.press("1")
        titles = set()
        for _ in range(8):
            await press(play, "s")
            titles.add(play.app.main.preferences.product_sort)
        assert titles - {"worst"} <= play.app.main.lists.products.columns_shown
        assert len(titles) > 2


async def test_without_the_row_of_a_product_nothing_is_said_to_be_known_that_is_not(tmp_path: Path) -> None:
    async with playing(tmp_path, without_products) as play:
        play.app.main.show(Snapshot(night.NOW, play.app.main.view(), trouble="the disk is gone: mend it"))
        assert "the disk is gone" in play.app.main.lists.products.empty
        assert play.app.main.lists.queue.empty == "not known"


async def test_the_limits_are_in_the_footer_of_products_and_queue(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("1")
        await play.sees("L Limits", "s Sort", "? Help")
        await play.press("2")
        await play.sees("L Limits", "/ Filter", "? Help")


async def test_how_many_are_held_already_is_told_before_the_others_are_held(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.change("UPDATE filesets SET state = 'held' WHERE name > 'diff-nightly.05420' AND product_id = 3")
        await play.press("2", "/", *"diff-nightly", "enter")
        await play.sees("2 Queue 61", "/diff-nightly")
        await press(play, "*", "h")
        await play.sees("52 are held already.")
        await play.sees("Hold 9 filesets?")
        await press(play, "y")
        [(kind, target)] = await play.wished(1)
        assert (kind, len(target["filesets"])) == ("hold", 9)


async def test_what_is_to_be_accepted_is_named_in_full(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.to("3 Failed", "integrity")
        await press(play, "A")
        await play.sees("ps1/ipp-misc/ipp-misc.04097/catalog.smf: listed")
