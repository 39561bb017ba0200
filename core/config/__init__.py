"""The configuration: TOML to validated, frozen values; every error names file, key, and what was expected."""

from __future__ import annotations

from core.config.choice import matches
from core.config.loading import exposed_secret, find_config, load_config
from core.config.models import Config, Dashboard, Engine, Mirror, OnHangup, Protocol

__all__ = [
    "Config",
    "Dashboard",
    "Engine",
    "Mirror",
    "OnHangup",
    "Protocol",
    "exposed_secret",
    "find_config",
    "load_config",
    "matches",
]
