"""A place without any configuration."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def empty_place(here: Path) -> None:
    """Stand there in all of these tests."""
