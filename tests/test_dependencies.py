"""What is installed is what was locked: by version and hash, from the index alone, under licences that are known."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt")
ENTRY = re.compile(
    r"(?P<requirement>[A-Za-z0-9._-]+==[^\s;@/]+(?: ; .+?)?)(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)
FREE = re.compile(r"\b(MIT|BSD|Apache|Mozilla|MPL|PSF|CC0|LGPL)\b", re.IGNORECASE)
"""Licences that allow to use, change and pass on; a package under another one is looked at by a person first."""


def entries(lock: str) -> Iterator[str]:
    """Yield the entries of a lock file, each as one line without its comments."""
    lines = [line for line in (ROOT / lock).read_text().splitlines() if line and not line.lstrip().startswith("#")]
    for entry in re.sub(r" \\\n\s+", " ", "\n".join(lines)).splitlines():
        yield entry.strip()


def locked(lock: str) -> dict[str, Requirement]:
    """Return what a lock file holds for this interpreter, by name."""
    matches = [ENTRY.fullmatch(entry) for entry in entries(lock)]
    found = [Requirement(match["requirement"]) for match in matches if match]
    return {canonicalize_name(one.name): one for one in found if one.marker is None or one.marker.evaluate()}


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def wanted() -> list[Requirement]:
    """Return what the program itself asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in project["dependencies"]]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_one_version_and_its_hashes(lock: str) -> None:
    found = list(entries(lock))
    assert len(found) > 20
    assert [entry for entry in found if not ENTRY.fullmatch(entry)] == [], "no URL, no option, no open version"


def test_the_tests_run_on_the_versions_that_users_get() -> None:
    ours, theirs = locked(LOCKS[0]), locked(LOCKS[1])
    assert {name: one.specifier for name, one in ours.items()}.items() <= {
        name: one.specifier for name, one in theirs.items()
    }.items()


def test_the_lock_holds_what_the_project_asks_for() -> None:
    for one in wanted():
        pinned = locked(LOCKS[0])[canonicalize_name(one.name)]
        assert one.specifier.contains(next(iter(pinned.specifier)).version), one


@pytest.mark.parametrize("lock", LOCKS)
def test_what_is_installed_is_what_is_locked(lock: str) -> None:
    different = {
        name: there
        for name, one in locked(lock).items()
        if (there := installed(name)) is not None and not one.specifier.contains(there)
    }
    assert different == {}
    assert [one.name for one in wanted() if installed(one.name) is None] == []


def test_the_licences_of_what_users_install_are_known() -> None:
    for name in locked(LOCKS[0]):
        if installed(name) is not None:
            told = [text for key in ("License-Expression", "License") for text in metadata(name).get_all(key) or []]
            told += [text for text in metadata(name).get_all("Classifier") or [] if text.startswith("License ::")]
            words = " ".join(told)
            assert FREE.search(words), f"{name}: {words or 'no licence is told'}"
