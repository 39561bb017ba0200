"""What happened: events, operators' commands, and bytes over time."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from core.model import CommandKind
from core.store import commands, events, meters, screens
from core.store.commands import Target
from core.store.database import Database
from tests.core.store.seed import NOW, add_mirror


async def tell(db: Database, *messages: str) -> None:
    await events.add_many(db, NOW, "info", [(message, "sky", "raw", "a") for message in messages])


async def test_the_newest_events_come_oldest_first(db: Database) -> None:
    await tell(db, "m1", "m2", "m3")
    await events.add(db, NOW + 1, "error", "m4", "sky", None, None)
    shown = await screens.events(db, 0, 3)
    assert [one.message for one in shown] == ["m2", "m3", "m4"]
    last = shown[-1]
    assert (last.at, last.level, last.mirror, last.product, last.fileset) == (NOW + 1, "error", "sky", None, None)


async def test_events_go_on_after_the_last_one_that_is_known(db: Database) -> None:
    await tell(db, "m1")
    known = (await screens.events(db, 0, 10))[-1].id
    assert await screens.events(db, known, 10) == []
    await tell(db, "m2", "m3")
    assert [one.message for one in await screens.events(db, known, 10)] == ["m2", "m3"]
    assert [one.message for one in await screens.events(db, known, 1)] == ["m3"]


async def test_commands_tell_who_wished_what_and_what_became_of_it(db: Database) -> None:
    first = await commands.append(db, CommandKind.PAUSE, Target(), NOW)
    await commands.append(db, CommandKind.HOLD, Target(filesets=("sky/raw/a",)), NOW + 1)
    await commands.finish(db, first, True, "1 mirror", NOW + 2)
    done, new = await screens.commands(db, 10)
    assert (done.kind, done.target, done.state, done.result, done.done_at) == (
        "pause",
        "everything",
        "done",
        "1 mirror",
        NOW + 2,
    )
    assert (done.who, done.at) == (commands.operator(), NOW)
    assert done.host
    assert (new.kind, new.target, new.state, new.result) == ("hold", "sky/raw/a", "new", None)
    assert [one.id for one in await screens.commands(db, 1)] == [new.id]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "everything"),
        ({"filesets": ("a", "b", "c")}, "a and 2 more"),
        ({"mirror": "sky", "product": "raw*"}, "mirror sky, product raw*"),
        ({"kind": "integrity"}, "kind integrity"),
        ({"filesets": ("a",), "value": "+1"}, "a, +1"),
        ({"value": "transfers="}, "transfers="),
        ({"filesets": ("a\x1b[2J",)}, r"a\x1b[2J"),
    ],
)
async def test_the_target_of_a_command_in_words(db: Database, fields: dict[str, Any], words: str) -> None:
    await commands.append(db, CommandKind.RETRY, Target(**fields), NOW)
    assert (await screens.commands(db, 1))[0].target == words


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({}, (None, None)),
        ({"mirror": "sky"}, ("sky", None)),
        ({"mirror": "sky", "product": "raw"}, ("sky", "raw")),
        ({"product": "raw*"}, (None, None)),
        ({"filesets": ("a",)}, (None, None)),
        ({"filesets": ("sky/raw/a", "sky/raw/b/c")}, ("sky", "raw")),
        ({"filesets": ("sky/raw/a", "sky/warp/b")}, ("sky", None)),
        ({"filesets": ("sky/raw/a", "sea/raw/b")}, (None, None)),
        ({"filesets": ("sky/raw/a", "b")}, (None, None)),
    ],
)
def test_the_one_place_that_a_command_is_about(fields: dict[str, Any], place: tuple[str | None, str | None]) -> None:
    assert Target(**fields).place == place


async def test_a_command_of_a_newer_version_is_shown_as_far_as_it_is_understood(db: Database) -> None:
    target = {**asdict(Target(mirror="sky")), "moon": "full"}
    await db.insert(
        "INSERT INTO commands (kind, target, who, host, at) VALUES ('howl', ?, 'ann', 'h:1', ?)",
        (json.dumps(target), NOW),
    )
    [shown] = await screens.commands(db, 1)
    assert (shown.kind, shown.target) == ("howl", "mirror sky")


# Throughput.


async def came(db: Database, product: int, age: float, size: int) -> None:
    await meters.came(db, {product: size}, NOW - age)


async def test_throughput_is_bytes_a_second_in_equal_steps(db: Database) -> None:
    products = await add_mirror(db, products=["raw", "warp"])
    await came(db, products["raw"], 60, 6000)
    await came(db, products["warp"], 51, 600)
    await came(db, products["warp"], 31, 600)
    await came(db, products["raw"], 1, 900)
    assert await screens.throughput(db, NOW, 60, 3) == [330, 30, 45]
    assert await screens.throughput(db, NOW, 60, 3, products["raw"]) == [300, 0, 45]
    assert await screens.throughput(db, NOW, 40, 2, products["warp"]) == [30, 0]


async def test_throughput_leaves_out_the_interval_that_has_just_begun(db: Database) -> None:
    products = await add_mirror(db)
    await came(db, products["raw"], 0, 9000)
    assert await screens.throughput(db, NOW + 9, 60, 6) == [0] * 6
    assert await screens.throughput(db, NOW + 10, 60, 6) == [0, 0, 0, 0, 0, 900]


async def test_the_peak_is_the_most_of_all_products_in_ten_seconds(db: Database) -> None:
    assert await screens.peak(db, NOW, 60) == 0
    products = await add_mirror(db, products=["raw", "warp"])
    await came(db, products["raw"], 31, 600)
    await came(db, products["warp"], 32, 300)
    await came(db, products["raw"], 21, 700)
    await came(db, products["raw"], 3601, 9000)
    await came(db, products["raw"], -1, 9000)
    assert await screens.peak(db, NOW, 3600) == 90, "neither of what is long past, nor of what has just begun"
    assert max(await screens.throughput(db, NOW, 3600, 60)) < 30, "a mean over a minute"


async def test_throughput_of_nothing_is_zero(db: Database) -> None:
    assert await screens.throughput(db, NOW, 3600, 60) == [0.0] * 60
