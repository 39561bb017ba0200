from __future__ import annotations

from pathlib import Path

import pytest

from core.config.models import default_state
from tests.servers.datastore import DataStore
from tests.tui.welcome.first_run import NARROW, TINY, WIDE, first_run

URL = "http://datastore.example.org/ds"


async def test_name_and_destination_follow_the_url_until_they_are_changed(here: Path) -> None:
    async with first_run() as operator:
        await operator.sees("mirror", f"{here}/mirror", "will be created")
        await operator.fill("url", URL)
        await operator.sees(f"{here}/datastore")
        await operator.fill("name", "ps1")
        await operator.sees(f"{here}/ps1")
        await operator.fill("destination", f"{here}/else")
        await operator.fill("url", "http://other.example.org/ds")
        screen = await operator.sees("other.example.org", f"{here}/else")
        assert "ps1 " in screen
        assert "datastore" not in screen


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("url", "ftp://host/ds", 'expected http or https: "ftp:"'),
        ("url", "file:///srv/ds", 'expected http or https: "file:"'),
        ("url", "http://me:word@host/ds", "expected no user in the URL"),
        ("url", "nonsense", "expected a URL such as"),
        ("name", "a b", "expected letters, digits"),
        ("destination", "/proc/1/mirror", "/proc/1 is not writable for this user"),
        ("destination", "/no/such/mirror", 'expected the folder "/no/such" to exist'),
        ("destination", "/dev/null", "expected a folder"),
        ("username", "a:b", 'expected a user name without ":"'),
        ("variable", "not a name", "expected the name of an environment variable"),
        ("variable", "NOT_SET_HERE", "NOT_SET_HERE is not set: leave, set it"),
    ],
)
async def test_what_is_wrong_is_told_as_it_is_typed_and_nobody_gets_past_it(field: str, text: str, said: str) -> None:
    async with first_run() as operator:
        await operator.sees("URL")
        await operator.fill("url", URL)
        await operator.fill(field, text)
        await operator.sees(said)
        await operator.press("tab", "enter")
        await operator.sees("[1 Source]", said)
        focused = operator.app.focused
        assert focused is not None
        assert field in [one.id for one in focused.ancestors_with_self]


async def test_an_empty_url_is_asked_for() -> None:
    async with first_run() as operator:
        await operator.sees("the root of an IPP Data Store")
        await operator.press(*"http:/", "enter")
        assert "expected" not in await operator.sees("[1 Source]", "http:/")


async def test_a_destination_must_not_hold_the_state_file(here: Path) -> None:
    folder = default_state().parent
    folder.mkdir(parents=True)
    async with first_run() as operator:
        await operator.sees("URL")
        await operator.fill("url", URL)
        await operator.fill("destination", str(folder.parent))
        await operator.press("enter")
        await operator.sees("[1 Source]", "expected a file outside the destination")


async def test_a_folder_that_is_there_is_told_with_its_free_space(here: Path) -> None:
    async with first_run() as operator:
        await operator.sees("URL")
        await operator.fill("destination", str(here))
        assert "B free" in await operator.sees("is there; ")


@pytest.mark.parametrize(("user", "variable"), [("me", "THE_PASSWORD"), ("", "THE_TOKEN")])
async def test_password_and_token_come_from_the_environment(
    user: str, variable: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "hunter2")
    with DataStore(username=user or None, password="hunter2", bearer=None if user else "hunter2") as store:
        store.add_product("prod0")
        async with first_run() as operator:
            await operator.to_products(store.url)
            await operator.sees("the server answered 401 Unauthorized", "Name the user and the variable")
            await operator.press("escape")
            await operator.sees("[1 Source]")
            await operator.fill("username", user)
            await operator.fill("variable", variable)
            await operator.press("enter")
            await operator.sees("prod0", "0 of 1 marked")
            await operator.press("space", "enter")
            await operator.sees("[3 File]", variable)
            await operator.press("enter")
            await operator.sees("+ prod0: 0 filesets", "All is well")
            assert "hunter2" not in operator.screen
    assert "hunter2" not in (here / "mirrortui.toml").read_text()


@pytest.mark.parametrize("size", [WIDE, NARROW, TINY])
@pytest.mark.parametrize("no_color", [False, True])
async def test_every_size_can_be_used(
    size: tuple[int, int], no_color: bool, datastore: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1") if no_color else monkeypatch.delenv("NO_COLOR", raising=False)
    datastore.add_product("prod0")
    async with first_run(size) as operator:
        await operator.sees("URL", "Enter Continue")
        for key in ("tab", "tab", "tab", "tab"):
            await operator.press(key)
        await operator.sees("Secret in $")
        await operator.press("tab")
        await operator.sees("URL")
        await operator.to_products(datastore.url)
        await operator.sees("prod0", "Enter Continue  Space Mark")
        await operator.press("space", "enter")
        await operator.sees("File", "Enter Write it, and check")
        await operator.press("enter")
        await operator.sees("All is well", "Enter Open the dashboard")
        await operator.press("enter")
        await operator.ended()
        assert operator.app.return_value is not None
