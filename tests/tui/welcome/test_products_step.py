from __future__ import annotations

import re
import threading
import tomllib
from pathlib import Path

import pytest

from core.config import load_config
from tests.servers.datastore import DataStore, Fault
from tests.tui.screens.host import HOSTILE
from tests.tui.welcome.first_run import NARROW, first_run
from tests.whole.site import fill, register
from tui.welcome import offered

HEADER = b"# productID|Most recent|Time registered|type|Description|\n"


def row_of(screen: str, name: str) -> str:
    return next(line for line in screen.splitlines() if name in line)


async def test_products_are_listed_with_their_ages_and_sizes(datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=2, files=2, size=1000)
    datastore.add_product("large", type="survey", description="the whole sky")
    for number in range(9):
        register(datastore, "large", f"big{number}", files=1, size=500_000)
    datastore.add_product("none yet")
    async with first_run() as operator:
        await operator.to_products(datastore.url)
        screen = await operator.sees("0 of 3 marked", "~4.5 MB", "4.0 kB")
        large = row_of(screen, "large")
        assert re.search(r"survey +\d+d\d\dh +9 +~9 +~4.5 MB the whole sky", large)
        assert re.search(r"prod0 +ipp-dist +\d+d\d\dh +2 +4 +4.0 kB", row_of(screen, "prod0"))
        assert re.search(r"none yet +ipp-dist +none +0 +0 +0 B", row_of(screen, "none yet"))
        await operator.sees("~ estimated from a few of its filesets", "newest: big8")
        await operator.press("space", "j", "space")
        await operator.sees("2 of 3 marked: 11 filesets, ~4.5 MB; ", "B free")
        await operator.press("*")
        await operator.sees("all 3 marked, and what will come: 11 filesets")
        await operator.press("*")
        await operator.sees("0 of 3 marked")


async def test_products_are_sorted_by_what_is_asked(datastore: DataStore) -> None:
    for name, filesets in (("c", 1), ("a", 3), ("b", 2)):
        datastore.add_product(name)
        for number in range(filesets):
            register(datastore, name, f"{name}{number}", files=1, size=1000 if name != "c" else 9000)

    def names(screen: str) -> str:
        return "".join(re.findall(r"^│..[ ◆] ?([abc]) +ipp", screen, re.MULTILINE))

    async with first_run() as operator:
        await operator.to_products(datastore.url)
        assert names(await operator.sees("product▲", "9.0 kB", "3.0 kB", "2.0 kB")) == "abc"
        await operator.press("s", "s")
        assert names(await operator.sees("filesets▼")) == "abc"
        await operator.press("s")
        assert names(await operator.sees("size▼")) == "cab"


async def test_what_cannot_be_known_is_shown_as_such_with_the_reason(datastore: DataStore) -> None:
    fill(datastore, products=2, filesets=1)
    datastore.fault("prod0/index.txt", Fault.status(503), times=None)
    async with first_run() as operator:
        await operator.to_products(datastore.url)
        screen = await operator.sees("its size is not known", "503 Service Unavailable", "12.0 kB")
        assert re.search(r"prod0 .* \? +\? +\?", row_of(screen, "│> "))
        await operator.press("*")
        await operator.sees("1 of unknown size")


async def test_only_the_newest_products_are_looked_into(datastore: DataStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offered, "MEASURED", 2)
    datastore.add_product("old")
    for name in ("new0", "new1"):
        datastore.add_product(name)
        datastore.add_fileset(name, f"{name}.0", {}, registered="2026-11-02T00:00:00Z")
    async with first_run() as operator:
        await operator.to_products(datastore.url)
        await operator.sees("? not looked into: 1 product")
        assert not datastore.requested("old/index.txt")


async def test_hostile_names_do_nothing_and_are_chosen_as_they_are(datastore: DataStore, here: Path) -> None:
    names = ["[@click=app.quit]", "*", 'a"b', "[red]x", "漢字 é", "x[/]y", "../up", "a\x1b]52;c;aGk=\x07", "a\u202eb"]
    rows = "".join(f"{name}|f0|2026-11-01T00:00:00Z|{HOSTILE[1]}|{HOSTILE[2]}|\n" for name in names)
    datastore.raw_index("index.txt", HEADER + rows.encode())
    async with first_run() as operator:
        await operator.to_products(datastore.url)
        screen = await operator.sees("0 of 5 marked", "4 rows of the root index refused", "[@click=app.quit]", "[red]x")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", screen)
        await operator.press("space", "space", "space", "enter")
        await operator.sees("[3 File]")
        await operator.press("enter")
        screen = await operator.sees("[4 Check]", "problems. Enter opens")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", screen)
    choice = load_config(here / "mirrortui.toml").mirrors[0].choice
    assert [name for name in names if choice.selects(name)] == ["[@click=app.quit]", "*", "[red]x"]
    assert not choice.selects("anything")


@pytest.mark.parametrize(
    ("fault", "said", "remedy"),
    [
        (Fault.status(503), "503 Service Unavailable", "Is the URL right, and the server up? r reads again"),
        (Fault.status(404), "404 Not Found", "Is the URL the root of a Data Store?"),
        (Fault.replace(b"<html>hello</html>\n"), "text that is not an index", "Is the URL the root of a Data Store?"),
        (Fault.status(403), "403 Forbidden", "Name the user and the variable"),
        (Fault.redirect("file:///etc/passwd"), "redirect to file: refused", "Ask whoever runs it"),
    ],
)
async def test_a_source_that_fails_is_told_with_the_remedy(
    datastore: DataStore, fault: Fault, said: str, remedy: str
) -> None:
    datastore.add_product("prod0")
    datastore.fault("index.txt", fault)
    async with first_run(NARROW) as operator:
        await operator.to_products(datastore.url)
        await operator.sees(said, remedy)
        await operator.press("enter")
        assert "newest" not in await operator.sees("[2 Products]", said), "there is no table"
        await operator.press("r")
        await operator.sees("prod0", "0 of 1 marked")


async def test_while_nothing_is_offered_nothing_can_be_chosen(datastore: DataStore) -> None:
    datastore.add_product("prod0")
    datastore.fault("index.txt", Fault.status(404))
    async with first_run() as operator:
        await operator.to_products(datastore.url)
        await operator.sees("not listed", "404 Not Found")
        dim = operator.dim_keys()
        await operator.press("space", "*", "s", "enter")
        screen = await operator.sees("[2 Products]", "not listed", "404 Not Found")
        assert "reading http" not in screen
        await operator.press("r")
        await operator.sees("0 of 1 marked")
        assert (dim, operator.dim_keys()) == (["Enter Continue", "Space Mark", "* All", "s Sort"], [])
        await operator.press("space")
        await operator.sees("1 marked")


async def test_a_source_that_is_down_is_told_and_another_url_can_be_tried(datastore: DataStore) -> None:
    datastore.add_product("prod0")
    with DataStore() as gone:
        down = gone.url
    async with first_run() as operator:
        await operator.to_products(down)
        await operator.sees("connection refused", "Esc goes back to the URL")
        await operator.press("escape")
        await operator.sees("[1 Source]")
        await operator.to_products(datastore.url)
        await operator.sees("prod0")


async def test_reading_can_be_stopped_and_the_screen_does_not_wait(datastore: DataStore) -> None:
    datastore.add_product("prod0")
    opened = threading.Event()
    datastore.fault("index.txt", Fault.gate(opened), times=None)
    try:
        async with first_run() as operator:
            await operator.to_products(datastore.url)
            await operator.sees("reading http://127.0.0.1", " 1 s; x stops that")
            await operator.press("x")
            await operator.sees("stopped before the list was complete; r reads again")
            await operator.press("r")
            await operator.sees("x stops that")
            await operator.press("escape")
            await operator.sees("[1 Source]")
            await operator.press("enter")
            opened.set()
            await operator.sees("prod0", "0 of 1 marked")
    finally:
        opened.set()


async def test_looking_into_products_can_be_stopped_and_need_not_be_awaited(datastore: DataStore, here: Path) -> None:
    fill(datastore, products=2, filesets=1)
    opened = threading.Event()
    datastore.fault("prod*/index.txt", Fault.gate(opened), times=None)
    try:
        async with first_run() as operator:
            await operator.to_products(datastore.url)
            await operator.sees("looking into products: 0 of 2; x stops that")
            await operator.press("x")
            await operator.sees("? not looked into: 2 products")
            await operator.press("space", "enter")
            await operator.sees("[3 File]", 'products = ["prod0"]')
    finally:
        opened.set()


async def test_something_has_to_be_marked_unless_there_is_nothing(datastore: DataStore) -> None:
    async with first_run() as operator:
        await operator.to_products(datastore.url)
        await operator.sees("The source lists no product yet. Enter mirrors all that will come")
        datastore.add_product("prod0")
        await operator.press("r")
        await operator.sees("0 of 1 marked")
        await operator.press("enter")
        await operator.sees("[2 Products]", "! Mark what is to be mirrored, with Space")


async def test_all_means_what_will_come_too(datastore: DataStore, here: Path) -> None:
    fill(datastore, products=2, filesets=1)
    async with first_run() as operator:
        await operator.to_check(datastore.url, "*")
    assert tomllib.loads((here / "mirrortui.toml").read_text())["mirror"][0]["products"] == ["*"]


async def test_marks_are_kept_on_the_way_back_and_when_it_is_read_again(datastore: DataStore) -> None:
    fill(datastore, products=3, filesets=1)
    async with first_run() as operator:
        await operator.to_file(datastore.url, "j", "space")
        await operator.press("escape")
        await operator.sees("[2 Products]", "1 of 3 marked")
        datastore.add_product("another")
        await operator.press("r")
        screen = await operator.sees("1 of 4 marked")
        assert "◆ prod1" in screen
