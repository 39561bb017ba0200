"""What was set on the screen is kept, per state file, and never keeps a dashboard from starting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui import preferences
from tui.preferences import Preferences


@pytest.fixture(name="file")
def preferences_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "kept"))
    return preferences.path_for(tmp_path / "mirror.db")


def test_what_is_kept_comes_back(file: Path) -> None:
    kept = Preferences(pane="queue", theme="nord", product_sort="rate", filters={"log": "[/x] \x1b 観"}, problems=True)
    preferences.save(file, kept)
    assert preferences.load(file) == kept
    assert list(file.parent.iterdir()) == [file]


def test_each_state_file_has_its_own(file: Path, tmp_path: Path) -> None:
    preferences.save(file, Preferences(pane="log"))
    assert preferences.load(preferences.path_for(tmp_path / "other.db")) == Preferences()
    assert file.is_relative_to(tmp_path / "kept" / "mirrortui")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"filters": 7}',
        '{"queue_sort": "gone"}',
        '{"product_sort": "gone"}',
        '{"failed_sort": "gone"}',
        '{"pane": "gone"}',
        "\udcff",
    ],
)
def test_what_cannot_be_read_is_as_if_nothing_had_been_kept(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert preferences.load(file) == Preferences()


def test_what_another_version_kept_besides_is_no_obstacle(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pane": "failed", "colour": "blue"}))
    assert preferences.load(file) == Preferences(pane="failed")


def test_a_disk_that_takes_nothing_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    preferences.save(tmp_path / "a file" / "screen.json", Preferences())
