"""A configuration in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.config.written import ENGINE, MIRROR, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration: the usual engine, then the usual mirror with further lines, then more."""

    def put(*, mirror: str = "", engine: str = "", more: str = "") -> Path:
        path = tmp_path / "mirrortui.toml"
        path.write_text(ENGINE + engine + MIRROR + mirror + more)
        return path

    return put
