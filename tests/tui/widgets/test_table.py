"""The cursor, marks and order of a live table, as an operator sees them."""

from __future__ import annotations

import pytest

from tests.tui.widgets.shown import EMPTY, row, shown
from tui.widgets.table import Cell, Key, Row


async def test_shows_header_rows_and_cursor() -> None:
    async with shown(range(3)) as (app, table, _):
        assert app.lines()[0].split() == ["name", "state", "rate"]
        assert app.names() == ["row 0", "row 1", "row 2"]
        assert app.cursor_line() == 1
        assert table.cursor_key == 0
        assert table.visible_keys() == (0, 1, 2)
        assert app.moved == [0]


async def test_keys_move_the_cursor_and_the_header_stays() -> None:
    async with shown(range(100)) as (app, table, pilot):
        for key, place in [
            ("down", 1),
            ("pagedown", 11),
            ("end", 99),
            ("up", 98),
            ("pageup", 88),
            ("home", 0),
            ("up", 0),
        ]:
            await pilot.press(key)
            await pilot.pause()
            assert table.cursor_key == place
            assert app.lines()[app.cursor_line()].startswith(f">  row {place} ")
            assert app.lines()[0].split() == ["name", "state", "rate"]


async def test_a_page_is_scrolled_as_a_page() -> None:
    async with shown(range(100)) as (app, table, pilot):
        await pilot.press("down", "down", "pagedown")
        await pilot.pause()
        assert (table.visible_keys(), app.cursor_line()) == (tuple(range(10, 20)), 3)


async def test_says_why_it_is_empty() -> None:
    async with shown() as (app, table, pilot):
        assert app.names() == [EMPTY]
        assert table.cursor_key is None
        await pilot.press("down", "up", "end", "pagedown", "enter")
        table.toggle_mark()
        table.empty = "press / to change the filter, which hides all of the filesets"
        await pilot.pause()
        assert app.names() == ["press / to change the filter, which", "hides all of the filesets"]
        assert (app.moved, app.activated, table.marked) == ([], [], frozenset())


async def test_the_cursor_follows_its_key_and_stays_on_its_line() -> None:
    async with shown(range(100)) as (app, table, pilot):
        table.move_to(50)
        await pilot.pause()
        line = app.cursor_line()
        for keys in (
            ["new", *range(100)],
            [*range(20, 100)],
            [*range(100, -1, -1)],
            [key for key in range(100) if key % 5 == 0],
            [*range(1000, 3000), *range(100)],
        ):
            table.show(keys, row)
            await pilot.pause()
            assert table.cursor_key == 50
            assert app.cursor_line() == line
            assert app.names()[line - 1] == "row 50"
        assert app.moved == [0, 50]


async def test_the_line_is_kept_only_as_far_as_there_are_rows() -> None:
    async with shown(range(100)) as (app, table, pilot):
        table.move_to(50)
        table.show([50, 51, 52], row)
        await pilot.pause()
        assert (app.cursor_line(), app.names()) == (1, ["row 50", "row 51", "row 52"])


@pytest.mark.parametrize(
    ("left", "now"),
    [
        ([4, 6, 7], 6),
        ([9, 8, 7, 6], 6),
        ([100, 101, 1, 2, 7], 7),
        ([1, 2, 4], 4),
        ([100, 101, 102, 103, 104, 105, 106], 105),
        ([100], 100),
        ([], None),
    ],
)
async def test_when_its_row_is_gone_the_cursor_goes_to_the_one_that_took_its_place(left: list[Key], now: Key) -> None:
    async with shown(range(10)) as (app, table, pilot):
        table.move_to(5)
        await pilot.pause()
        table.show(left, row)
        await pilot.pause()
        assert table.cursor_key == now
        assert app.moved == [0, 5, now]
        if now is not None:
            assert app.names()[app.cursor_line() - 1] == f"row {now}"


async def test_with_the_cursor_out_of_sight_what_is_in_sight_stays() -> None:
    async with shown(range(100)) as (app, table, pilot):
        table.scroll_to(y=40, animate=False)
        await pilot.pause()
        assert app.names()[0] == "row 40"
        table.show(["a", "b", *range(100)], row)
        await pilot.pause()
        assert app.names() == [f"row {number}" for number in range(40, 50)]
        assert table.cursor_key == "a"


async def test_a_cursor_that_nobody_has_moved_stays_on_the_first_row() -> None:
    async with shown(range(100)) as (app, table, pilot):
        for keys in ([*range(1, 100), 0], ["new", *range(100)], [*range(50, 100)]):
            table.show(keys, row)
            first = keys[0]
            await pilot.pause()
            assert (app.cursor_line(), table.cursor_key, app.names()[0]) == (1, first, f"row {first}")
        await pilot.resize_terminal(40, 6)
        table.show([70, *range(50, 70)], row)
        await pilot.pause()
        assert (app.cursor_line(), table.cursor_key) == (1, 70)
        await pilot.press("down")
        table.show([*range(40, 70)], row)
        await pilot.pause()
        assert table.cursor_key == 50
        await pilot.press("home")
        table.show([*range(30, 70)], row)
        await pilot.pause()
        assert (app.cursor_line(), table.cursor_key) == (1, 30)


async def test_a_first_row_that_was_chosen_keeps_the_cursor() -> None:
    async with shown(range(100)) as (_, table, pilot):
        table.hold()
        table.show([*range(1, 100), 0], row)
        await pilot.pause()
        assert table.keys.index(table.cursor_key) == 99
        await pilot.press("home", "down", "up")
        table.show([*range(100)], row)
        await pilot.pause()
        assert table.keys.index(table.cursor_key) == 1


async def test_marks_survive_and_show_without_colour() -> None:
    async with shown(range(10)) as (app, table, pilot):
        await pilot.press("down")
        table.toggle_mark()
        table.mark([7, 8, "unknown"])
        table.show([key for key in range(9, -1, -1) if key != 8], row)
        await pilot.pause()
        assert table.marked == {1, 7}
        assert table.marked_in_order() == sorted(table.marked, key=list(table.keys).index)
        assert [line[:9] for line in app.lines() if line[1] == "◆"] == [" ◆ row 7 ", ">◆ row 1 "]
        assert app.style_at(app.names().index("row 7") + 1, "row 7").bold
        assert not app.style_at(app.names().index("row 6") + 1, "row 6").bold
        table.toggle_mark()
        assert table.marked == {7}
        table.clear_marks()
        await pilot.pause()
        assert not any("◆" in line for line in app.lines())


async def test_frozen_rows_stay_where_they_are() -> None:
    async with shown([1, 2, 3, 4]) as (app, table, pilot):
        table.hold()
        table.frozen = True
        table.show([9, 4, 3, 1], row)
        await pilot.pause()
        assert app.names() == ["row 1", "row 3", "row 4", "row 9"]
        table.show([9, 4, 3, 1], lambda key: (Cell(f"now {key}"), Cell(""), Cell("")))
        await pilot.pause()
        assert app.names() == ["now 1", "now 3", "now 4", "now 9"]
        table.frozen = False
        await pilot.pause()
        assert app.names() == ["now 9", "now 4", "now 3", "now 1"]
        assert table.cursor_key == 1


async def test_rows_that_are_not_loaded_have_a_place() -> None:
    loaded: set[Key] = {0, 2}

    def rows(key: Key) -> Row | None:
        return row(key) if key in loaded else None

    async with shown(range(3), rows=rows) as (app, table, pilot):
        assert app.names() == ["row 0", "…", "row 2"]
        loaded.add(1)
        table.show(range(3), rows)
        await pilot.pause()
        assert app.names() == ["row 0", "row 1", "row 2"]


async def test_tells_which_keys_came_into_sight() -> None:
    async with shown(range(100)) as (app, table, pilot):
        await pilot.press("pagedown")
        table.show(list(range(100)), row)
        table.show(list(range(5, 100)), row)
        await pilot.pause()
        await pilot.resize_terminal(40, 6)
        await pilot.pause()
        assert app.scrolled == [tuple(range(10)), tuple(range(10, 20)), tuple(range(10, 15))]


async def test_a_smaller_terminal_keeps_the_cursor_in_sight() -> None:
    async with shown(range(100)) as (app, _, pilot):
        await pilot.press(*["down"] * 8)
        await pilot.resize_terminal(40, 5)
        await pilot.pause()
        assert app.names()[app.cursor_line() - 1] == "row 8"
        await pilot.resize_terminal(40, 1)
        await pilot.resize_terminal(40, 11)
        await pilot.pause()
        assert app.names()[app.cursor_line() - 1] == "row 8"


async def test_the_mouse_selects_and_a_double_click_activates() -> None:
    async with shown(range(5)) as (app, table, pilot):
        await pilot.click(table, offset=(3, 3))
        assert (table.cursor_key, app.activated) == (2, [])
        await pilot.click(table, offset=(3, 3), times=2)
        await pilot.press("enter")
        assert app.activated == [2, 2]
        await pilot.click(table, offset=(3, 0))
        await pilot.click(table, offset=(3, 9))
        assert table.cursor_key == 2


async def test_a_double_click_does_not_activate_a_row_that_came_in_between() -> None:
    async with shown(range(5)) as (app, table, pilot):
        await pilot.click(table, offset=(3, 3))
        table.show([3, 4, 0, 1, 2], row)
        await pilot.pause()
        await pilot.click(table, offset=(3, 3))
        assert (table.cursor_key, app.activated) == (0, [])


async def test_a_resized_table_brings_its_cursor_into_sight() -> None:
    async with shown(range(100)) as (app, table, pilot):
        table.scroll_to(y=40, animate=False)
        await pilot.resize_terminal(60, 8)
        await pilot.pause()
        assert app.cursor_line() == 1


async def test_only_rows_in_sight_are_asked_for() -> None:
    asked: list[Key] = []

    def rows(key: Key) -> Row:
        asked.append(key)
        return row(key)

    async with shown(range(100_000), rows=rows) as (app, table, pilot):
        asked.clear()
        table.show(list(range(1, 100_001)), rows)
        await pilot.pause()
        assert len(asked) <= table.page
        asked.clear()
        await pilot.press("end")
        await pilot.pause()
        assert app.names()[-1] == "row 100000"
        assert len(asked) <= table.page
