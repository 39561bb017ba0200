"""The colours: chosen by a key, kept for the next start, and readable in each theme of our choice."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from tests.screens import night
from tests.screens.picture import looks as texts
from tests.tui.playing import playing
from tui.themes import CHOICES
from tui.widgets.table import LiveTable

OF_STATES = ("row", "good", "warn", "bad", "dim", "accent")
READABLE, LEGIBLE = 4.5, 3.0
"""Contrasts: what WCAG asks of text, and of what is large, bold or not to be had."""
WITH_COLOURS = [name for name, _, _ in CHOICES if not name.startswith("ansi")]


async def again(folder: Path) -> Path:
    return folder / "mirrortui.toml"


async def test_a_theme_is_shown_under_the_cursor_and_kept_for_the_next_start(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("T")
        await play.sees("d  Dark")
        await play.press("down", "down")
        await play.stage.until(lambda: play.app.theme == "contrast", "the theme under the cursor")
        await play.press("enter")
        await play.stage.settled()
    async with playing(tmp_path, again) as play:
        assert play.app.theme == "contrast"
        await play.press("T", "l")
        await play.stage.until(lambda: play.app.theme == "light", "the theme of the letter")


async def test_escape_takes_the_theme_back_that_was_tried(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("T", "down")
        await play.stage.until(lambda: play.app.theme == "light", "the theme under the cursor")
        await play.press("escape")
        await play.stage.until(lambda: play.app.theme == "textual-dark", "the theme from before")


@pytest.mark.parametrize("theme", WITH_COLOURS)
async def test_everything_can_be_read_and_states_easily(tmp_path: Path, theme: str) -> None:
    async with playing(tmp_path) as play:
        play.app.theme = theme
        await play.press("3", "space", "space")
        await play.stage.settled()
        looks = [(words, Color.parse(one.colour), Color.parse(one.background)) for words, one in texts(play.app)]
        assert not [words for words, colour, background in looks if contrast(colour, background) < LEGIBLE]
        table = play.app.main.query_one("#failed", LiveTable)
        for name in OF_STATES:
            style = table.get_component_rich_style(f"table--{name}")
            colours = style.color, style.bgcolor
            assert contrast(*(Color.from_rich_color(one) for one in colours)) >= READABLE, name


def contrast(one: Color, other: Color) -> float:
    """Return how well two colours can be told apart, from 1 to 21, as WCAG 2 defines it."""
    dark, bright = sorted(
        0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in map(linear, (one, other))
    )
    return (bright + 0.05) / (dark + 0.05)


def linear(colour: Color) -> tuple[float, ...]:
    return tuple(part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized)
