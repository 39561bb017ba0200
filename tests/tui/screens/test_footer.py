"""The last line of the screen."""

from __future__ import annotations

import pytest
from textual.app import ComposeResult

from tests.tui.screens.host import Host, lines
from tui.commands import PANES, Keymap
from tui.keymap import effective_keys
from tui.widgets.footer import FooterBar


class Bar(Host[None]):
    """An app that is nothing but a footer."""

    keys: Keymap = effective_keys({})

    def compose(self) -> ComposeResult:
        yield FooterBar(self.keys)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (20, " a Now    ? Help  ^p"),
        (40, " a Now  h Hold  x Cancel  ? Help  ^p All"),
        (80, " a Now  h Hold  x Cancel  J/K Move  +/- Priority  / Filter  p Pause   ? Help  ^p"),
        (120, " a Now  h Hold  x Cancel  J/K Move  +/- Priority  / Filter  p Pause  Space Mark  r/R Retry"
              "  L Limits      ? Help  ^p All"),
    ],
)  # fmt: skip
async def test_as_many_as_fit(width: int, line: str) -> None:
    app = Bar()
    async with app.run_test(size=(width, 1)) as pilot:
        app.query_one(FooterBar).show("queue", {})
        await pilot.pause()
        assert lines(app) == [line]


@pytest.mark.parametrize("pane", PANES)
async def test_every_pane_has_its_own(pane: str) -> None:
    app = Bar()
    async with app.run_test(size=(300, 1)) as pilot:
        app.query_one(FooterBar).show(pane, {})
        await pilot.pause()
        (line,) = lines(app)
        assert ("A Accept" in line) == (pane in ("failed", "details"))
        assert ("n Available" in line) == (pane == "products")
        assert line.endswith("? Help  ^p All")


async def test_what_cant_be_given_is_dim_until_it_can() -> None:
    app = Bar()
    async with app.run_test(size=(120, 1)) as pilot:
        bar = app.query_one(FooterBar)
        bar.show("queue", {"cancel": "[/x]", "raise": "the dashboard is read-only"})
        await pilot.pause()
        assert colour(app, " Cancel") != colour(app, " Hold")
        assert colour(app, " Priority") == colour(app, " Hold"), "its other half can still be given"
        bar.show("queue", {})
        await pilot.pause()
        assert colour(app, " Cancel") == colour(app, " Hold")


async def test_a_click_gives_the_command() -> None:
    app = Bar()
    async with app.run_test(size=(120, 1)) as pilot:
        app.query_one(FooterBar).show("queue", {})
        await pilot.pause()
        (line,) = lines(app)
        for word in ("Cancel", "K Move", "Help"):
            await pilot.click(offset=(line.index(word), 0))
        assert app.given == ["cancel", "move_up", "help"]


async def test_it_shows_the_keys_in_force() -> None:
    app = Bar()
    app.keys = effective_keys({"retry": ["f5", "t"]})
    async with app.run_test(size=(80, 1)) as pilot:
        app.query_one(FooterBar).show("failed", {})
        await pilot.pause()
        assert "F5/R Retry" in lines(app)[0]


def colour(app: Bar, piece: str) -> object:
    """Return the colour in which a piece of the line is written."""
    (strip,) = app.screen._compositor.render_strips()
    (style,) = {segment.style for segment in strip if segment.text == piece}
    return style and style.color


async def test_read_only_leaves_its_room_to_what_can_be_done() -> None:
    app = Bar()
    async with app.run_test(size=(80, 1)) as pilot:
        app.query_one(FooterBar).show("queue", {}, read_only=True)
        await pilot.pause()
        (line,) = lines(app)
        assert "Retry" not in line
        assert line.startswith(" / Filter  ! Problems  s Sort  Enter Details  y Copy  ")


async def test_the_start_of_an_engine_comes_first_while_there_is_none() -> None:
    app = Bar()
    async with app.run_test(size=(80, 1)) as pilot:
        app.query_one(FooterBar).show("queue", {}, starts=True)
        await pilot.pause()
        assert lines(app)[0].startswith(" E Start  ")
