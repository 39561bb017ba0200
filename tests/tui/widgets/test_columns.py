"""What stands in the cells of a live table, and where."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from core.text import display
from tests.tui.widgets.shown import shown, starts
from tui.widgets.columns import fit
from tui.widgets.table import Cell, Column, Key, Row

WIDE = (
    Column("name", "fileset", 12, grow=True, most=1000),
    Column("product", "product", 16, rank=3),
    Column("state", "state", 11),
    Column("size", "size", 8, "right", rank=2),
    Column("eta", "eta", 6, "right", rank=1),
)
NAMES = [
    "plain",
    "日本語のデータ",
    "e\u0301te\u0301",
    "🛰 data",
    "[/x]",
    "[@click=app.quit]",
    "\x1b]52;c;aGk=\x07",
    "a\u202eb",
]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (30, ["fileset", "state"]),
        (40, ["fileset", "state", "eta"]),
        (50, ["fileset", "state", "size", "eta"]),
        (80, ["fileset", "product", "state", "size", "eta"]),
        (120, ["fileset", "product", "state", "size", "eta"]),
    ],
)
async def test_columns_are_left_out_where_it_is_narrow_and_one_takes_the_rest(width: int, titles: list[str]) -> None:
    async with shown([1], (width, 5), WIDE, lambda _: tuple(Cell(column.title[:6]) for column in WIDE)) as (app, _, _p):
        header, line = app.lines()[:2]
        assert header.split() == titles
        assert line.split()[1:] == [title[:6] for title in titles]
        if titles[-1] == "eta":
            assert len(header.rstrip()) == len(line.rstrip()) == width - 1


async def test_a_column_grows_no_more_than_names_need() -> None:
    columns = (Column("name", "fileset", 12, grow=True), Column("state", "state", 11))
    async with shown([1], (300, 5), columns, lambda _: (Cell("name"), Cell("held"))) as (app, _, _p):
        assert app.lines()[0].index("state") < 70


async def test_the_column_that_grows_gives_way_last() -> None:
    async with shown([1], (18, 5), WIDE, lambda _: tuple(Cell("abcdefgh") for _ in WIDE)) as (app, _, pilot):
        assert app.lines()[1].split() == [">", "a…", "abcdefgh"]
        await pilot.resize_terminal(3, 3)
        await pilot.resize_terminal(12, 3)
        await pilot.pause()
        assert app.lines()[1].startswith(">  … abcde")


async def test_foreign_names_stand_as_they_are_and_columns_stay_in_line() -> None:
    def rows(key: Key) -> Row:
        name = display(NAMES[int(str(key))])
        return (Cell(name), Cell(name), Cell("|state"), Cell(name), Cell("|"))

    async with shown(range(len(NAMES)), (80, 12), WIDE, rows) as (app, _, _p):
        lines = app.lines()[1 : len(NAMES) + 1]
        assert {tuple(starts(line, "|state")) for line in lines} == {(starts(lines[0], "|state")[0],)}
        assert {cell_len(line[: line.rindex("|")]) for line in lines} == {78}
        for line, name in zip(lines, NAMES, strict=True):
            assert display(name) in line
        assert app.is_running


async def test_a_long_name_is_cut_with_an_ellipsis() -> None:
    columns = (Column("name", "name", 6), Column("size", "size", 4, "right"))
    cells = {"a": "abcdef", "b": "abcdefg", "c": "日本語", "d": "日本語の", "e": "a日本語"}
    async with shown(cells, (20, 8), columns, lambda key: (Cell(cells[str(key)]), Cell("|12|"))) as (app, _, _p):
        shown_cells = [line[3 : line.index("|")].rstrip() for line in app.lines()[1:6]]
        assert shown_cells == ["abcdef", "abcde…", "日本語", "日本 …", "a日本…"]
        assert {starts(line, "|12|")[0] for line in app.lines()[1:6]} == {10}


@pytest.mark.parametrize("width", range(8))
@pytest.mark.parametrize("text", ["", "a", "abcdefgh", "日本語", "e\u0301te\u0301e\u0301", "🛰a🛰"])
def test_text_fits_exactly(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == cell_len(fit(text, width, "right")) == width


async def test_the_header_tells_the_order() -> None:
    async with shown([1], (80, 4), WIDE, lambda _: tuple(Cell("") for _ in WIDE)) as (app, table, pilot):
        table.sort_mark = ("size", False)
        await pilot.pause()
        assert "    size▲    eta" in app.lines()[0]
        table.sort_mark = ("name", True)
        await pilot.pause()
        assert app.lines()[0].startswith("   fileset▼ ")
        table.sort_mark = None
        await pilot.pause()
        assert app.lines()[0].split() == [column.title for column in WIDE]


async def test_a_narrow_title_gives_way_to_the_sign_of_its_order() -> None:
    columns = (Column("name", "name", 4), Column("eta", "eta", 3))
    async with shown([1], (20, 4), columns, lambda _: (Cell(""), Cell(""))) as (app, table, pilot):
        table.sort_mark = ("name", False)
        await pilot.pause()
        assert app.lines()[0].split() == ["na…▲", "eta"]


@pytest.mark.parametrize("style", ["good", "warn", "bad", "dim", "accent"])
async def test_styles_have_colours_of_the_theme(style: str) -> None:
    async with shown([1, 2], (40, 5), rows=lambda _: (Cell("plain"), Cell("word", style), Cell(""))) as (app, _, _p):
        plain, word = app.style_at(2, "plain"), app.style_at(2, "word")
        assert plain.color != word.color
        assert plain.bgcolor == word.bgcolor


async def test_the_cursor_has_a_background() -> None:
    async with shown([1, 2], (40, 5)) as (app, _, _p):
        assert app.style_at(1, "row 1").bgcolor != app.style_at(2, "row 2").bgcolor
        assert app.style_at(1, "! LAG").bgcolor == app.style_at(1, "row 1").bgcolor


async def test_without_colours_the_cursor_is_reversed_while_it_has_the_keyboard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with shown([1, 2], (40, 5)) as (app, table, pilot):
        assert app.style_at(1, "row 1").reverse
        assert not app.style_at(2, "row 2").reverse
        table.blur()
        await pilot.pause()
        assert not app.style_at(1, "row 1").reverse
        assert app.cursor_line() == 1


@pytest.mark.parametrize(("width", "expected"), [(40, "the whole of it"), (22, "in short"), (10, "in sh…")])
async def test_a_cell_says_it_shorter_where_its_text_does_not_fit(width: int, expected: str) -> None:
    columns = (Column("a", "a", 5, grow=True),)
    async with shown(
        [1], (width, 3), columns, lambda _: (Cell("the whole of it, word by word", short="in short"),)
    ) as (app, _, _p):
        assert expected in app.lines()[1]


async def test_columns_that_grow_share_what_is_left() -> None:
    columns = (Column("a", "a", 5, grow=True), Column("b", "b", 3), Column("c", "c", 5, grow=True))
    async with shown([1], (41, 3), columns, lambda _: (Cell("x" * 40), Cell("---"), Cell("y" * 40))) as (app, _, _p):
        line = app.lines()[1]
        assert line.count("x") == line.count("y") == 15
