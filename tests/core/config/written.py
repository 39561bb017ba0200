"""Configurations as they are written in tests, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from core.config import load_config
from core.errors import ConfigError, ExitCode

Write: TypeAlias = Callable[..., Path]

ENGINE = '[engine]\nstate = "mirror.db"\n'
MIRROR = '[[mirror]]\nname = "ps1"\nprotocol = "ipp"\nurl = "http://127.0.0.1:8080/ds"\ndestination = "data"\n'


def complaint(path: Path, **options: bool) -> str:
    """Return what is said of a configuration, without the path that must begin each line."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, **options)
    assert caught.value.exit_code == ExitCode.USAGE
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") and line.isprintable() for line in lines)
    return "\n".join(line.removeprefix(f"{path}: ") for line in lines)
