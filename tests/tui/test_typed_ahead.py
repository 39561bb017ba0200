"""Keys that come all at once do what they would have done one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Key
from textual.keys import _character_to_key

from tests.screens import night
from tests.tui.playing import Play, playing

CHARACTERS = {"tab": "\t", "enter": "\r"}
FIRST, SECOND = "ps1/md-all-rel-200907", "ps1/ipp-misc"


async def type_at_once(play: Play, *keys: str) -> None:
    """Let keys arrive as a terminal hands them on when they are typed faster than they are read."""
    for key in keys:
        character = key if len(key) == 1 else CHARACTERS.get(key)
        play.app.post_message(Key(key if len(key) > 1 else _character_to_key(key), character))
    await play.stage.settled()


@pytest.mark.parametrize(("keys", "hit"), [(("r", "down"), FIRST), (("down", "r"), SECOND), (("r", "G"), FIRST)])
async def test_the_row_is_hit_on_which_the_cursor_was(tmp_path: Path, keys: tuple[str, ...], hit: str) -> None:
    async with playing(tmp_path, night.build) as play:
        await type_at_once(play, *keys)
        [(_, target)] = await play.wished(1)
        assert f"{target['mirror']}/{target['product']}" == hit


async def test_a_key_after_tab_acts_in_the_next_pane(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        product = play.cursor("1 Products").split()[1]
        await type_at_once(play, "tab", "down", "a")
        [(kind, target)] = await play.wished(1)
        assert (kind, target["filesets"]) == ("now", ["ps1/md-all-rel-200907/md-all-rel-200907.05204"])
        assert play.cursor("1 Products").split()[1] == product
        await type_at_once(play, "tab", "enter")
        await play.sees("4 Details")
        assert play.app.main.source == "failed"


async def test_a_filter_is_typed_whole_and_what_follows_hits_only_what_it_lets_through(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await type_at_once(play, "2", "/", *"08120", "enter", "a")
        await play.sees("2 Queue 1 ", "/08120")
        [(kind, target)] = await play.wished(1)
        assert (kind, target["filesets"]) == ("now", ["ps1/gpc1-raw/gpc1-raw.08120"])


async def all_queued(play: Play) -> int:
    """Go to the queue, and return how many filesets are in it."""
    await play.press("2")
    title = await play.sees("─ 2 Queue ")
    return int(title.split("2 Queue ")[1].split()[0].replace(",", ""))


async def test_what_follows_an_order_answers_its_question(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        number = await all_queued(play)
        await type_at_once(play, "*", "x", "escape", "h", *str(number), "enter")
        [(kind, target)] = await play.wished(1)
        assert (kind, len(target["filesets"])) == ("hold", number)


async def test_a_command_on_many_is_told_until_it_is_answered(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        number = await all_queued(play)
        await type_at_once(play, "*", "h")
        await play.sees(f"Hold {number:,} filesets?")
        await play.sees(f"the first 100 of {number:,}:")
        await type_at_once(play, *str(number), "enter")
        await play.sees(f" holding {number:,} filesets ...")
        await play.wished(1)
        await play.change("UPDATE commands SET state = 'done', result = 'held'")
        await play.sees(" hold: held")
