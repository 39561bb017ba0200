"""Servers differ in where the answer to a cursor begins: none of them makes a fileset that is there look withdrawn."""

from __future__ import annotations

from core.model import CommandKind
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import serving, states, wait_until, wish
from tests.whole.site import Site, register

ANSWERS = "prod0/index.txt?o470*"
NAMES = [f"o470.chip.{number}" for number in range(5)]


def stock(datastore: DataStore) -> dict[str, bytes]:
    """Register filesets a day apart, but for the last two."""
    datastore.add_product("prod0")
    expected: dict[str, bytes] = {}
    for number, name in enumerate(NAMES):
        expected |= register(datastore, "prod0", name, files=1)
        datastore.register_again("prod0", name, served(datastore, name, expected), day(number))
    return expected


def served(datastore: DataStore, name: str, expected: dict[str, bytes]) -> dict[str, bytes]:
    folder = f"prod0/{name}/"
    return {path.removeprefix(folder): body for path, body in expected.items() if path.startswith(folder)}


def day(number: int) -> str:
    return f"2026-11-0{min(number, 3) + 1}T00:00:00Z"


def answer(datastore: DataStore, *names: str) -> None:
    """Have each query by cursor answered by these filesets."""
    rows = "".join(f"{name}|{day(NAMES.index(name))}|IPP-DIST|\n" for name in names)
    datastore.heal(ANSWERS)
    datastore.fault(ANSWERS, Fault.replace(f"# filesetID|time registered|type\n{rows}".encode()), times=None)


def asked(datastore: DataStore) -> list[str]:
    return [request.query for request in datastore.requested("prod0/index.txt*")]


def test_an_answer_that_begins_with_the_cursor_or_its_second_withdraws_nothing(
    site: Site, datastore: DataStore
) -> None:
    expected = stock(datastore)
    assert site.once()["exit_code"] == 0
    for names in (NAMES[-1:], NAMES[-2:]):
        answer(datastore, *names)
        datastore.forget()
        assert site.once()["exit_code"] == 0
        assert states(site) == dict.fromkeys(NAMES, "published")
        assert asked(datastore) == [NAMES[-1]], "nothing else is asked for"
    assert site.published() == expected


def test_what_is_gone_from_a_server_that_always_lists_everything_is_withdrawn_at_once(
    site: Site, datastore: DataStore
) -> None:
    stock(datastore)
    datastore.static = True
    assert site.once()["exit_code"] == 0
    datastore.withdraw("prod0", NAMES[1])
    for queries in ([NAMES[-1], ""], [NAMES[-1]]):
        datastore.forget()
        assert site.once()["exit_code"] == 0
        assert states(site) == {**dict.fromkeys(NAMES, "published"), NAMES[1]: "withdrawn"}
        assert asked(datastore) == queries


def test_an_alarm_ends_when_the_list_is_back_though_answers_to_cursors_are_bare(
    site: Site, datastore: DataStore
) -> None:
    expected = stock(datastore)
    answer(datastore)
    assert site.once()["exit_code"] == 0
    site.configure(datastore.url, mirror='reconcile_interval = "0.1s"')
    datastore.fault("prod0/index.txt", Fault.replace(b"# filesetID|time registered|type\n"))
    assert site.once()["exit_code"] == 4
    site.configure(datastore.url)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_server_whose_answers_begin_before_the_cursor_is_doubted_once(site: Site, datastore: DataStore) -> None:
    stock(datastore)
    answer(datastore, *NAMES[2:])
    with serving(site):
        wait_until(lambda: states(site) == dict.fromkeys(NAMES, "published"), "the first poll")
        for _ in range(2):
            before = len(asked(datastore))
            wish(site, CommandKind.POLL)
            wait_until(lambda: len(asked(datastore)) > before, "another poll")  # noqa: B023
    assert asked(datastore).count("") <= 2, "the first list, and the one that settled the doubt"
    assert states(site) == dict.fromkeys(NAMES, "published")
