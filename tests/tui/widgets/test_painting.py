"""What a live table writes to a real terminal."""

from __future__ import annotations

import re

from textual.content import Content

from tests.tui.widgets.at_terminal import CHANGING, at_terminal
from tests.tui.widgets.shown import row, shown

ONE_CHANGE = 4000
"""Bytes that a change of 20 cells may cost."""


def test_few_bytes_for_few_changes_and_none_for_none() -> None:
    with at_terminal(rows=1000) as terminal:
        assert terminal.press("u") == b""
        for turn in range(1, 4):
            written = terminal.press("c")
            assert len(written) < ONE_CHANGE
            rates = re.findall(rb"(\d+\.\d) MB/s", written)
            assert rates == [b"%d.%d" % (number + turn * 7, turn) for number in range(CHANGING)]
        assert terminal.press("u") == b""


async def test_a_new_title_is_shown() -> None:
    async with shown(range(20)) as (app, table, pilot):
        table.styles.border = ("round", "red")
        await pilot.pause()
        table.retitle(Content("2 Queue 20 [/x]"))
        await pilot.pause()
        assert "2 Queue 20 [/x]" in app.lines()[0]
        assert app.lines()[1].split()[:3] == ["│", "name", "state"]


async def test_a_hidden_table_shows_what_came_meanwhile() -> None:
    async with shown(range(5)) as (app, table, pilot):
        table.display = False
        await pilot.pause()
        table.show([7, 8], row)
        await pilot.pause()
        table.display = True
        table.show([7, 8, 9], row)
        await pilot.pause()
        assert app.names() == ["row 7", "row 8", "row 9"]
        assert app.cursor_line() == 1
        await pilot.pause()
        assert app.scrolled[-1] == (7, 8, 9)
