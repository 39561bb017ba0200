"""What the tests of promises share: a site, a Data Store that misbehaves, and a transport into an empty directory."""

from __future__ import annotations

from tests.core.transfer.conftest import courier, store
from tests.whole.conftest import site

__all__ = ["courier", "site", "store"]
