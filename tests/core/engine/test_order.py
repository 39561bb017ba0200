"""What operators do to the order of the queue, while an engine works on it."""

from __future__ import annotations

import threading

import pytest

from core.config import Config
from core.model import CommandKind
from tests.core.engine.operator import configured, operating
from tests.servers.datastore import DataStore, Fault


@pytest.fixture
def gate(datastore: DataStore) -> threading.Event:
    """Hold back the first file of fileset a, of which one at a time is fetched, until the gate is opened."""
    held = threading.Event()
    datastore.fault("p/a/0.dat", Fault.gate(held))
    datastore.add_product("p")
    for name in "abcd":
        datastore.add_fileset("p", name, {f"{n}.dat": name.encode() * 2_000_000 for n in range(2)})
    return held


@pytest.fixture
def one_by_one(config: Config) -> Config:
    return configured(config, engine={"transfers": 1, "transfers_per_host": 1})


def fetched(datastore: DataStore) -> str:
    """Return the filesets in the order in which their first file was asked for."""
    return "".join(request.path.split("/")[-2] for request in datastore.requested("p/*/0.dat"))


async def test_what_is_wanted_now_goes_before_what_is_under_way(
    datastore: DataStore, one_by_one: Config, gate: threading.Event
) -> None:
    async with operating(one_by_one) as operator:
        await operator.until_state("transferring", *"abcd")
        assert await operator.done(CommandKind.NOW, "ps1/p/d") == "1 fileset next"
        assert await operator.done(CommandKind.PRIORITY, "ps1/p/c", value="+1") == "1 fileset: priority 1"
        gate.set()
        await operator.until_state("published", *"abcd")
    assert fetched(datastore) == "adcb"


async def test_what_is_wanted_now_is_begun_though_enough_is_loaded(datastore: DataStore, config: Config) -> None:
    held = threading.Event()
    datastore.fault("p/many/*.dat", Fault.gate(held), times=None)
    datastore.add_product("p")
    datastore.add_fileset("p", "many", {f"{n}.dat": b"x" for n in range(2500)})
    async with operating(config) as operator:
        await operator.until_state("transferring", "many")
        datastore.add_fileset("p", "urgent", {"0.dat": b"y"})
        await operator.done(CommandKind.POLL)
        await operator.until_state("queued", "urgent")
        await operator.done(CommandKind.NOW, "urgent")
        await operator.until_state("transferring", "urgent")
        held.set()
        await operator.until_state("published", "many", "urgent")


async def test_waiting_for_the_next_try_is_ended_by_now(datastore: DataStore, config: Config) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"hello"})
    datastore.fault("p/f/a.dat", Fault.status(404))
    async with operating(config) as operator:
        await operator.until_seen("SELECT trouble FROM filesets", ("failed",))
        await operator.done(CommandKind.NOW, "f")
        await operator.until_state("published", "f")


async def test_only_what_waits_is_moved(datastore: DataStore, one_by_one: Config, gate: threading.Event) -> None:
    async with operating(one_by_one) as operator:
        await operator.until_state("transferring", *"abcd")
        assert "was begun already: only its priority can be raised" in await operator.refused(
            CommandKind.MOVE, "ps1/p/d", value="up"
        )
        await operator.done(CommandKind.HOLD, "b")
        for way in ("up", "down"):
            assert "alone in the queue of its product, at priority 0" in await operator.refused(
                CommandKind.MOVE, "b", value=way
            )
        await operator.done(CommandKind.HOLD, "c", "d")
        assert "nothing else is in the queue" in await operator.refused(CommandKind.MOVE, "b", "c", "d", value="down")
        assert await operator.done(CommandKind.MOVE, "p/a", "p/d", value="up") == (
            "1 fileset moved up; not done: fileset 'p/a' was begun already: only its priority can be raised"
        )
        assert await operator.refused(CommandKind.MOVE, "b", value="top of all") == (
            'expected one of up, down, top, bottom, got "top of all"'
        )
        await operator.done(CommandKind.MOVE, "d", value="top")
        assert "first in the queue" in await operator.refused(CommandKind.MOVE, "d", value="up")
        gate.set()
        await operator.until_state("published", "a")
        await operator.done(CommandKind.RELEASE, "b", "c", "d")
        await operator.until_state("published", *"bcd")
    assert fetched(datastore) == "adbc"


@pytest.mark.parametrize(
    ("kind", "filesets", "value", "reason"),
    [
        (CommandKind.PRIORITY, ("a",), "high", 'expected a priority such as "7", or a change such as "+1", got "high"'),
        (CommandKind.PRIORITY, ("a",), None, "expected a priority"),
        (CommandKind.PRIORITY, (), "7", "say which filesets"),
        (CommandKind.NOW, (), None, "say which filesets"),
        (CommandKind.NOW, ("nope",), None, "no fileset 'nope' is known"),
        (CommandKind.MOVE, ("a",), "", "expected one of up"),
    ],
)
async def test_a_refusal_says_why(
    config: Config, kind: CommandKind, filesets: tuple[str, ...], value: str | None, reason: str
) -> None:
    async with operating(config) as operator:
        assert reason in await operator.refused(kind, *filesets, value=value)


async def test_a_fileset_that_fails_does_not_go_first_while_its_host_is_in_doubt(
    datastore: DataStore, one_by_one: Config
) -> None:
    datastore.add_product("p")
    for name in "abc":
        datastore.add_fileset("p", name, {f"{n}.dat": name.encode() * 2_000_000 for n in range(2)})
    datastore.fault("p/a/*.dat", Fault.status(503), times=2)
    async with operating(one_by_one) as operator:
        await operator.until_state("published", *"abc")
    asked = "".join(request.path.split("/")[-2] for request in datastore.requested("p/*/*.dat"))
    assert "aa" not in asked[: max(asked.rindex("b"), asked.rindex("c"))]


async def test_a_priority_that_a_move_takes_on_is_told(
    datastore: DataStore, one_by_one: Config, gate: threading.Event
) -> None:
    async with operating(one_by_one) as operator:
        await operator.until_state("transferring", *"abcd")
        await operator.done(CommandKind.HOLD, "c", "d")
        await operator.done(CommandKind.PRIORITY, "c", value="+2")
        assert await operator.done(CommandKind.MOVE, "c", value="down") == "1 fileset moved down, priority 0 now"
        assert await operator.done(CommandKind.MOVE, "c", value="up") == "1 fileset moved up"
        gate.set()
