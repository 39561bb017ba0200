"""The file of a configuration: found, read, written."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from core.config import Mirror, find_config, load_config
from core.config.models import Dashboard, Engine
from core.config.template import TEMPLATE, write_template
from core.errors import ConfigError
from tests.core.config.written import MIRROR, complaint

pytestmark = pytest.mark.usefixtures("unconfigured")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[engine]\nstate = \n", "expected TOML: Invalid value (at line 2, column 9)"),
        (b"name = '\xff'\n", "expected UTF-8 text, found another byte at 8"),
        (b"x = " + b"9" * 5000, "expected TOML: "),
        (MIRROR.replace("[[mirror]]", "[mirror]").encode(), "[[mirror]]: expected [[mirror]], in double brackets"),
        (b"engine = 3\n" + MIRROR.encode(), "[engine]: expected a table, [engine]"),
        (b"mirror = [3]\n", "[[mirror]] number 1: expected a table, [[mirror]]"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(text)
    assert complaint(path).startswith(said)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path) == "cannot be read: Is a directory"
    assert complaint(tmp_path / "none.toml") == "cannot be read: No such file or directory"


def test_the_configuration_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    places = [tmp_path / "etc", tmp_path / "xdg-config" / "mirrortui", Path()]
    with pytest.raises(ConfigError) as caught:
        find_config(None)
    assert all(str(place / "mirrortui.toml") in str(caught.value) for place in places)
    assert "`mirrortui init` writes one" in str(caught.value)
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / "mirrortui.toml").touch()
        assert find_config(None) == place / "mirrortui.toml"
    for name in ("variable.toml", "option.toml"):
        (tmp_path / name).touch()
    monkeypatch.setenv("MIRRORTUI_CONFIG", str(tmp_path / "variable.toml"))
    assert find_config(None) == tmp_path / "variable.toml"
    assert find_config(tmp_path / "option.toml") == tmp_path / "option.toml"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_another_user_left_in_the_current_folder_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mirrortui.toml").touch()
    os.chown("mirrortui.toml", 12345, 12345)
    with pytest.raises(ConfigError, match="belongs to another user; name it by --config if it is meant"):
        find_config(None)
    assert find_config(Path("mirrortui.toml")) == Path("mirrortui.toml")


def test_a_named_configuration_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: no such file \(named by --config\)"):
        find_config(tmp_path / "none.toml")
    monkeypatch.setenv("MIRRORTUI_CONFIG", "none.toml")
    with pytest.raises(ConfigError, match=r"none.toml: no such file \(named by \$MIRRORTUI_CONFIG\)"):
        find_config(None)


def test_the_template_is_a_configuration_of_defaults(tmp_path: Path) -> None:
    write_template(tmp_path / "mirrortui.toml")
    config = load_config(tmp_path / "mirrortui.toml")
    assert stat.S_IMODE((tmp_path / "mirrortui.toml").stat().st_mode) == 0o600
    assert [mirror.name for mirror in config.mirrors] == ["ps1"]
    assert config.engine == Engine()

    defaults = re.sub(r"^# (?=[a-z_]+ = (?!.*default))", "", TEMPLATE, flags=re.MULTILINE)
    assert len(tomllib.loads(defaults)["mirror"][0]) > len(tomllib.loads(TEMPLATE)["mirror"][0]) + 10
    (tmp_path / "defaults.toml").write_text(defaults)
    assert load_config(tmp_path / "defaults.toml") == config


def test_the_template_shows_every_key() -> None:
    everything = tomllib.loads(re.sub(r"^# (?=[a-z_]+ = )", "", TEMPLATE, flags=re.MULTILINE))
    assert set(everything["engine"]) == set(Engine.model_fields)
    assert set(everything["mirror"][0]) == set(Mirror.model_fields) - {"password", "bearer"}
    assert set(everything["dashboard"]) == set(Dashboard.model_fields)
    assert set(everything) == {"engine", "dashboard", "mirror"}


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mirrortui.toml"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="never overwritten"):
        write_template(path)
    assert path.read_text() == "mine"
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        write_template(tmp_path / "no" / "mirrortui.toml")


def test_reading_a_configuration_imports_nothing_heavy() -> None:
    code = "import sys, core.config; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncio", "httpx", "sqlite3", "textual", "rich", "pycurl", "logging"} & set(loaded)
