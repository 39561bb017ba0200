from __future__ import annotations

import os
import stat
from pathlib import Path

from core.config import load_config
from core.config.models import default_state
from tests.servers.datastore import DataStore, Fault
from tests.tui.welcome.first_run import NARROW, first_run
from tests.whole.site import fill


async def test_the_file_is_shown_then_written_and_checked(datastore: DataStore, here: Path) -> None:
    fill(datastore, products=2, filesets=3)
    async with first_run() as operator:
        screen = await operator.to_file(datastore.url, "space")
        assert 'products = ["prod0"]' in screen
        assert f'url = "{datastore.url}"' in screen
        assert f"{here}/mirrortui.toml" in screen
        assert "mirrortui finds it there by itself" in screen
        assert os.listdir(here) == []
        await operator.press("enter")
        await operator.sees("[4 Check]", "+ prod0: 3 filesets", "- 1 product available, not mirrored", "All is well")
        assert os.listdir(here) == ["mirrortui.toml"]
        await operator.press("enter")
        await operator.ended()
        assert operator.app.return_value == here / "mirrortui.toml"
    assert stat.S_IMODE((here / "mirrortui.toml").stat().st_mode) == 0o600
    mirror = load_config(here / "mirrortui.toml").mirrors[0]
    assert (mirror.url, mirror.destination, mirror.products) == (datastore.url, here / "127.0.0.1", ("prod0",))


async def test_the_text_can_be_scrolled(datastore: DataStore) -> None:
    datastore.add_product("prod0")
    async with first_run(NARROW) as operator:
        await operator.to_file(datastore.url)
        await operator.press(*["pagedown"] * 6)
        await operator.sees("# min_rate")
        await operator.press(*["pageup"] * 9)
        await operator.sees("# Configuration of mirrortui")


async def test_nothing_is_overwritten(datastore: DataStore, here: Path) -> None:
    datastore.add_product("prod0")
    async with first_run() as operator:
        await operator.to_file(datastore.url)
        (here / "mirrortui.toml").write_text("somebody else was faster")
        await operator.press("enter")
        await operator.sees("[3 File]", "is there already, and is never overwritten")
        await operator.fill("file", "other.toml")
        await operator.sees("mirrortui finds it there only with --config")
        await operator.press("enter")
        await operator.sees("[4 Check]", "wrote", "other.toml")
    assert (here / "mirrortui.toml").read_text() == "somebody else was faster"
    assert sorted(os.listdir(here)) == ["mirrortui.toml", "other.toml"]


async def test_a_file_that_cannot_be_written_there_can_be_written_elsewhere(datastore: DataStore, here: Path) -> None:
    datastore.add_product("prod0")
    async with first_run() as operator:
        await operator.to_file(datastore.url)
        await operator.fill("file", "/proc/1/mirrortui.toml")
        await operator.sees("/proc/1 is no folder that this user can write to")
        await operator.press("enter")
        await operator.fill("file", str(here / "new" / "site.toml"))
        await operator.sees("its folder will be created")
        await operator.press("enter")
        await operator.sees("All is well")
    assert stat.S_IMODE((here / "new").stat().st_mode) == 0o700


async def test_back_from_the_check_takes_the_file_away_unless_it_was_changed(datastore: DataStore, here: Path) -> None:
    fill(datastore, products=1, filesets=1)
    datastore.fault("prod0/index.txt", Fault.status(503), times=None)
    async with first_run() as operator:
        await operator.to_check(datastore.url)
        await operator.sees("! prod0", "503 Service Unavailable", "1 problem. Enter opens the dashboard all the same")
        await operator.press("escape")
        await operator.sees("[3 File]")
        assert os.listdir(here) == []
        datastore.heal()
        await operator.press("enter")
        await operator.sees("All is well")
        (here / "mirrortui.toml").write_text("edited meanwhile")
        await operator.press("escape")
        await operator.sees("[4 Check]", "has been changed, or can't be removed: it stays")
    assert (here / "mirrortui.toml").read_text() == "edited meanwhile"


async def test_the_state_of_another_configuration_is_left_alone(datastore: DataStore, here: Path) -> None:
    datastore.add_product("prod0")
    default_state().parent.mkdir(parents=True)
    default_state().touch()
    async with first_run() as operator:
        await operator.to_check(datastore.url)
    assert load_config(here / "mirrortui.toml").engine.state == default_state().with_name("127.0.0.1.db")


async def test_leaving_before_the_file_leaves_nothing_behind(datastore: DataStore, here: Path) -> None:
    datastore.add_product("prod0")
    async with first_run() as operator:
        await operator.to_file(datastore.url)
        await operator.press("ctrl+c")
        await operator.ended()
        assert operator.app.return_value is None
    assert os.listdir(here) == []
