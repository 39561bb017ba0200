"""A place without any configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import loading


@pytest.fixture(name="here", autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, with nothing of whoever runs the tests around; return it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg-config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    monkeypatch.setattr(loading, "SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.delenv("MIRRORTUI_CONFIG", raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here
