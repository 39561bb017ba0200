"""Adapters that list products, filesets and files of remote catalogues."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import ConfigError
from core.sources.base import Source, SourceOptions
from core.sources.ipp import open_ipp
from core.text import display

__all__ = ["SOURCES", "Source", "SourceOptions", "open_source"]

SOURCES: dict[str, Callable[[SourceOptions], Source]] = {
    "ipp": open_ipp,
}
"""How the sources of each protocol are opened: one line for each."""


def open_source(protocol: str, options: SourceOptions) -> Source:
    """Return the source that `options` lead to. Raises ConfigError if protocol or URL are not usable."""
    try:
        opener = SOURCES[protocol]
    except KeyError:
        raise ConfigError(f"unknown protocol '{display(protocol)}'; known: {', '.join(sorted(SOURCES))}") from None
    return opener(options)
