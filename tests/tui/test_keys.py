"""Each key that writes, pressed: which commands are in the state then; and what is asked before much is hit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.store.database import Database
from tests.screens import night
from tests.tui.playing import Play, playing
from tui.commands import COMMANDS

FIRST_OF = {"mirror": "cmip", "product": "CMIP6.ScenarioMIP.tas"}
FIRST = "cmip/CMIP6.ScenarioMIP.tas/CMIP6.ScenarioMIP.tas.04318"
"""What is on the first line of the queue."""
PAGES, WAITS = ("pagedown", "pagedown"), "ps1/diff-nightly/diff-nightly.05420"
"""The way to a line of what was not begun, and what stands there."""
WRONG = "ps1/ipp-misc/ipp-misc.04097"
"""What is on the first line of what failed."""
MANY = 30

WISHES: dict[str, tuple[Sequence[str], str, dict[str, Any]]] = {
    "retry": (["3", "g", "r"], "retry", {"filesets": [WRONG]}),
    "retry_all": (["3", "R"], "retry", {"filesets": [], "mirror": None, "product": None}),
    "accept": (["3", "g", "A", "y"], "accept", {"filesets": [WRONG]}),
    "now": (["2", "g", "a"], "now", {"filesets": [FIRST]}),
    "hold": (["2", "g", "h"], "hold", {"filesets": [FIRST]}),
    "pause": (["2", "g", "p", "y"], "pause", FIRST_OF),
    "cancel": (["2", "g", "x", "y"], "cancel", {"filesets": [FIRST]}),
    "poll": (["2", "g", "u"], "poll", {**FIRST_OF, "filesets": []}),
    "verify": (["1", "g", "v"], "verify", {"mirror": "ps1", "product": "md-all-rel-200907", "filesets": []}),
    "mirror": (["1", "G", "m"], "mirror", {"mirror": "ps1", "product": "sts-stack"}),
    "move_down": (["2", "g", *PAGES, "J"], "move", {"filesets": [WAITS], "value": "down"}),
    "move_up": (["2", "g", *PAGES, "K"], "move", {"filesets": [WAITS], "value": "up"}),
    "raise": (["2", "g", "+"], "priority", {"filesets": [FIRST], "value": "+1"}),
    "lower": (["2", "g", "-"], "priority", {"filesets": [FIRST], "value": "-1"}),
    "pause_all": (["P", "y"], "pause", {"filesets": [], "mirror": None, "product": None}),
    "limits": (["L", "3", "enter"], "limit", {"value": "transfers=3"}),
}
"""By command: the keys to press, and the wish that the engine finds."""
ELSEWHERE = {"engine"}
"""What writes no command: tests/whole/test_dashboard.py presses it."""


async def press(play: Play, *keys: str) -> None:
    """Press keys one by one, each after the one before has done all it does."""
    for key in keys:
        await play.press(key)
        await play.stage.settled()


def test_no_key_that_writes_is_left_out() -> None:
    assert WISHES.keys() | ELSEWHERE == {command.id for command in COMMANDS if command.writes}


@pytest.mark.parametrize("part", [0, 1, 2, 3])
async def test_a_key_is_a_wish_in_the_state(tmp_path: Path, part: int) -> None:
    async with playing(tmp_path, night.build) as play:
        for count, id in enumerate(list(WISHES)[part::4], 1):
            keys, kind, target = WISHES[id]
            await press(play, *keys)
            found, given = (await play.wished(count))[-1]
            assert (id, found) == (id, kind)
            assert {key: given[key] for key in target} == target


async def test_all_rows_are_marked_by_one_key_and_hit_by_another(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("2", "/", *"diff-nightly", "enter")
        await play.sees("2 Queue 61", "/diff-nightly")
        await press(play, "*")
        await play.sees("2 Queue 61", "61 marked")
        await press(play, "-")
        await play.sees("Lower the priority of 61 filesets by 1?")
        await press(play, "y")
        [(kind, target)] = await play.wished(1)
        assert (kind, target["value"], len(target["filesets"])) == ("priority", "-1", 61)
        assert all(name.startswith("ps1/diff-nightly/") for name in target["filesets"])
        await press(play, "*", "*")
        assert "marked" not in await play.sees("2 Queue 61")


async def with_many(folder: Path) -> Path:
    """Write a state with MANY products more, which nobody mirrors."""
    file = await night.build(folder)
    async with await Database.open_writer(folder / "mirror.db") as db, db.transaction():
        await db.run_many(
            "INSERT INTO products (mirror_id, name, selected, polled_at) VALUES (1, ?, 0, ?)",
            [(f"more.{number:02d}", night.NOW - 60) for number in range(MANY)],
        )
    return file


@pytest.mark.parametrize(
    ("key", "question", "kind"),
    [
        ("m", f"Begin mirroring {MANY} products?", "mirror"),
        ("u", f"Look at {MANY} products now?", "poll"),
        ("v", f"Verify {MANY} products?", "verify"),
        ("p", f"Pause {MANY} products?", "pause"),
    ],
)
async def test_what_hits_many_products_asks_by_name(tmp_path: Path, key: str, question: str, kind: str) -> None:
    async with playing(tmp_path, with_many) as play:
        await play.press("/", *"more", "enter")
        await press(play, "*", key)
        await play.sees(question)
        await play.sees("ps1/more.00")
        assert not [line for line in play.screen() if " more" in line and "and" in line], "all are named"
        await press(play, "n", key)
        await play.sees(question)
        await press(play, "y")
        wished = await play.wished(MANY)
        assert {(found, target["product"]) for found, target in wished} == {
            (kind, f"more.{number:02d}") for number in range(MANY)
        }
        assert len(wished) == MANY, "nothing was wished by the question that was answered with no"


async def test_the_end_of_a_mirroring_is_asked_for_and_what_is_mirrored_already_is_left_out(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await press(play, "g", "m")
        await play.sees("Stop mirroring 1 product?")
        await press(play, "n", "*", "m")
        await play.sees("Begin mirroring 2 products?")
        await press(play, "y")
        assert {target["product"] for _, target in await play.wished(2)} == {"oss-stack", "sts-stack"}


async def test_a_question_counts_what_is_of_different_kinds(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.change(
            """WITH n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 40)
               INSERT INTO rejections (product_id, mirror_id, line, name, reason, seen_at)
               SELECT 3, 1, x, 'row ' || x, 'no', 0 FROM n"""
        )
        await play.sees("3 Failed 44")
        await press(play, "3", "*", "r")
        await play.sees("Retry 3 filesets and 41 refused rows?")
