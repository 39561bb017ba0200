import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import load_config
from core.config.draft import Draft, complaint, first_place, proposed_destination, proposed_name
from core.config.loading import nothing_configured, parse_config
from core.config.models import default_state
from core.config.template import TEMPLATE, take_back, write_new
from core.errors import ConfigError
from core.names import unsafe_name

URL = "http://datastore.example.org/ds"


pytestmark = pytest.mark.usefixtures("here")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (URL, "datastore"),
        ("https://www.ifa.example.edu/", "ifa"),
        ("http://127.0.0.1:8080/ds", "127.0.0.1"),
        ("http://[::1]:8080/ds", "1"),
        ("http://süd.example.org", "s-d"),
        ("http://", "mirror"),
        ("http://[", "mirror"),
        ("", "mirror"),
    ],
)
def test_a_name_is_proposed_that_the_configuration_takes(url: str, name: str) -> None:
    assert proposed_name(url) == name
    assert complaint("name", name) is None


def test_a_destination_is_proposed_here(here: Path) -> None:
    assert proposed_destination("ps1") == str(here / "ps1")


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("url", "ftp://host/ds", 'expected http or https: "ftp:" is no kind of source there is'),
        ("url", "file:///srv/ds", 'expected http or https: "file:"'),
        ("url", "javascript:alert(1)", 'expected http or https: "javascript:"'),
        ("url", "host/ds", 'expected a URL such as "http://host/ds", got "host/ds"'),
        ("url", "http://me:word@host/ds", "expected no user in the URL"),
        ("url", "http://host/ds?x", 'without "?"'),
        ("url", "http://host/\x1b]52;c;aGk=\x07", "control characters"),
        ("name", "a b", "expected letters, digits"),
        ("destination", "/no/such/folder", 'expected the folder "/no/such" to exist'),
        ("destination", "/dev/null", "expected a folder"),
        ("username", "a:b", 'expected a user name without ":"'),
        ("variable", "hunter 2", "expected the name of an environment variable"),
        ("variable", "NO_SUCH_VARIABLE", "expected the environment variable NO_SUCH_VARIABLE to be set"),
    ],
)
def test_what_is_wrong_is_told_by_the_rules_of_the_configuration(key: str, text: str, said: str) -> None:
    found = complaint(key, text)
    assert found is not None
    assert said in found
    assert not {"word", "hunter"} & set(found.replace("@", " ").replace(":", " ").split())


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("url", URL),
        ("url", "http://localhost:8080/ds/index.txt"),
        ("username", ""),
        ("variable", ""),
        ("variable", "HOME"),
    ],
)
def test_what_is_right_is_taken(key: str, text: str) -> None:
    assert complaint(key, text) is None


def test_the_file_is_the_template_with_what_was_typed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PS1_PASSWORD", "word")
    draft = Draft(f"{URL}/index.txt", "ps1", "data", "me", "PS1_PASSWORD", ("md-all", "dist-2009"))
    text = draft.text()
    changed = [line for line in text.splitlines() if line not in TEMPLATE.splitlines()]
    assert [line.partition("  # ")[0].rstrip() for line in changed] == [
        f'url = "{URL}"',
        f'destination = "{here}/data"',
        'products = ["md-all", "dist-2009"]',
        'username = "me"',
        'password_env = "PS1_PASSWORD"',
    ]
    assert len(text.splitlines()) == len(TEMPLATE.splitlines())
    assert all("# " in line for line in changed)
    write_new(here / "mirrortui.toml", text)
    mirror = load_config(here / "mirrortui.toml").mirrors[0]
    assert (mirror.url, mirror.destination, mirror.username) == (URL, here / "data", "me")
    assert mirror.login()[1] == "word"
    assert "word" not in text.replace("password", "")
    assert mirror.products == ("md-all", "dist-2009")


def test_without_a_user_the_variable_holds_a_token(here: Path) -> None:
    mirror = parse_config(Draft(URL, "ps1", "data", "", "HOME").text(), here / "x.toml").mirrors[0]
    assert (mirror.bearer_env, mirror.password_env, mirror.products) == ("HOME", None, ("*",))


def test_a_long_choice_is_a_line_for_each_product() -> None:
    names = tuple(f"product-{number:03}" for number in range(40))
    text = Draft(URL, "ps1", "data", products=names).text()
    assert all(f'\n  "{name}",\n' in text for name in names)
    assert tomllib.loads(text)["mirror"][0]["products"] == list(names)


CHARS = st.sampled_from("[]*?!\"'#$= .aé漢") | st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\")
NAMES = st.text(CHARS, min_size=1, max_size=20).filter(lambda name: unsafe_name(name) is None)


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_whatever_products_are_called_just_those_are_chosen(names: list[str]) -> None:
    text = Draft(URL, "ps1", "/data", products=tuple(names)).text()
    choice = parse_config(text, Path("/x.toml")).mirrors[0].choice
    assert all(choice.selects(name) for name in names)
    assert not choice.selects("another one")
    assert not any(choice.selects(name + "x") for name in names if name + "x" not in names)


def test_a_state_that_is_there_is_left_to_its_configuration(here: Path) -> None:
    draft = Draft(URL, "ps1", "data")
    assert draft.apart() == draft
    default_state().parent.mkdir(parents=True)
    default_state().touch()
    engine = parse_config(draft.apart().text(), here / "x.toml").engine
    assert engine.state == default_state().with_name("ps1.db")
    assert engine.log_file == default_state().with_name("ps1.log")


def test_the_first_place_that_can_be_written_is_taken(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nothing_configured(None)
    assert first_place() == here / "mirrortui.toml"
    monkeypatch.chdir("/proc/1")
    assert first_place() == here.parent / "xdg-config" / "mirrortui" / "mirrortui.toml"
    first_place().parent.mkdir(parents=True)
    first_place().touch()
    assert not nothing_configured(None)
    first_place().unlink()
    assert not nothing_configured(Path("named.toml"))
    monkeypatch.setenv("MIRRORTUI_CONFIG", "named.toml")
    assert not nothing_configured(None)


def test_a_file_appears_whole_or_not_at_all(here: Path) -> None:
    file = here / "mirrortui.toml"
    write_new(file, "text")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for there in (file, here / "link.toml"):
        if there != file:
            there.symlink_to("/nowhere")
        with pytest.raises(ConfigError, match="never overwritten"):
            write_new(there, "other")
    assert file.read_text() == "text"
    assert sorted(os.listdir(here)) == ["link.toml", "mirrortui.toml"]


def test_only_what_was_written_is_taken_back(here: Path) -> None:
    file = here / "mirrortui.toml"
    write_new(file, "text")
    assert not take_back(file, "other")
    assert file.exists()
    assert take_back(file, "text")
    assert not file.exists()
    assert take_back(file, "text")
