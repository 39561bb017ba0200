"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config import loading
from tests.servers.certificates import Authority
from tests.servers.datastore import DataStore


@pytest.fixture(name="datastore")
def store_server() -> Iterator[DataStore]:
    """Yield a started Data Store on loopback."""
    with DataStore() as store:
        yield store


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Return a certificate authority that no client trusts unless it is told to."""
    return Authority()


@pytest.fixture
def unconfigured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the folders and variables of whoever runs the tests out of them."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg-config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    monkeypatch.setattr(loading, "SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.delenv("MIRRORTUI_CONFIG", raising=False)


@pytest.fixture
def here(unconfigured: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, with no configuration anywhere; return it."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here
