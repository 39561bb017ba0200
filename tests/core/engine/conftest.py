"""A configuration for one engine that mirrors the Data Store of the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import Config, load_config
from tests.servers.datastore import DataStore


@pytest.fixture
def config(tmp_path: Path, datastore: DataStore) -> Config:
    file = tmp_path / "mirrortui.toml"
    file.write_text(
        '[engine]\nstate = "mirror.db"\nmin_free = "0"\n\n'
        f'[[mirror]]\nname = "ps1"\nprotocol = "ipp"\nurl = "{datastore.url}"\ndestination = "data"\n'
    )
    return load_config(file)
