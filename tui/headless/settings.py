"""What every headless command does first: find the configuration."""

from __future__ import annotations

from pathlib import Path

from core.config import Config, find_config, load_config


def load(config_file: Path | None, *, with_secrets: bool) -> Config:
    """Return the configuration; `with_secrets` False for commands that contact no source. Raises ConfigError."""
    return load_config(find_config(config_file), with_secrets=with_secrets)
