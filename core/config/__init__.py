"""The configuration: TOML to validated, frozen values; every error names file, key, and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from core.config.loading import find_config, load_config
from core.config.models import Config, Engine, Mirror, Protocol

__all__ = ["Config", "Engine", "Mirror", "Protocol", "find_config", "load_config", "matches"]


def matches(name: str, include: Sequence[str], exclude: Sequence[str] = ()) -> bool:
    """Tell whether `name` matches one of the globs `include` and none of `exclude`; case counts."""
    return any(fnmatchcase(name, glob) for glob in include) and not any(fnmatchcase(name, glob) for glob in exclude)
