"""What an operator's wish, a listing, and a run do to one fileset: the states of docs/design.md, as functions.

Where several outcomes are right (it depends on how often something was tried, or on what a killed engine left behind)
all of them are returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TypeAlias

from core.model import CommandKind as Kind
from tests.model.upstream import Offer

Outcome: TypeAlias = tuple[str, str]
"""The state and the trouble of a fileset."""

OPEN = frozenset({"discovered", "queued", "transferring"})
PASSED = frozenset({"staged", "publishing"})
"""States that only a killed engine leaves behind; the next one settles them before anything else."""
ASIDE = frozenset({"retry_wait", "quarantined"})
SET = frozenset({"held", "cancelled"})
"""States in which operators leave filesets."""


@dataclass(frozen=True)
class File:
    """A file: `wanted` is the digest that it has to have, `seen` what came instead.

    It `waits` if it is tried again after hours, or never. `listed` is what the catalogue lists if something else was
    accepted; `refuted` says that what came last was not what is wanted.
    """

    state: str
    wanted: str
    seen: str | None = None
    waits: bool = False
    tried: bool = False
    listed: str | None = None
    refuted: bool = False


@dataclass(frozen=True)
class Fileset:
    """A fileset. It `waits` if its own index could not be had; `wish` is what it was set to before it was withdrawn.

    With `reread` its index is read again before anything else.
    """

    state: str
    registered: int
    trouble: str = ""
    index: str | None = None
    waits: bool = False
    tried: bool = False
    was_published: bool = False
    wish: str = ""
    reread: bool = False
    files: Mapping[str, File] = field(default_factory=dict)


def _judged(fileset: Fileset) -> Fileset:
    states = {file.state for file in fileset.files.values()}
    trouble = "quarantined" if "quarantined" in states else "failed" if "retry_wait" in states else ""
    return replace(fileset, trouble=trouble)


def _each(fileset: Fileset, change: Callable[[File], File]) -> Fileset:
    return replace(fileset, files={name: change(file) for name, file in fileset.files.items()})


# Operators.


def wished(kind: Kind, fileset: Fileset, *, named: bool) -> Fileset | None:
    """Return what an operator's wish makes of a fileset, which is `named` or one of all; None if it is refused."""
    is_open, in_queue = fileset.state in OPEN, fileset.state in {"discovered", "queued", "held"}
    fits, after = {
        Kind.HOLD: (is_open, _held),
        Kind.RELEASE: ("held" in (fileset.state, fileset.wish), _released),
        Kind.CANCEL: (is_open or fileset.state == "held", _cancelled),
        Kind.REQUEUE: ("cancelled" in (fileset.state, fileset.wish), _released),
        Kind.RETRY: (fileset.trouble != "" or (named and fileset.state == "published"), _retried),
        Kind.NOW: (is_open and fileset.trouble != "quarantined", _hastened),
        Kind.ACCEPT: (is_open and any(map(_evident, fileset.files.values())), _accepted),
        Kind.PRIORITY: (is_open or fileset.state == "held", _same),
        Kind.MOVE: (in_queue, _same),
    }[kind]
    return after(fileset) if fits else None


def _same(fileset: Fileset) -> Fileset:
    return fileset


def _held(fileset: Fileset) -> Fileset:
    return replace(fileset, state="held", trouble="")


def _released(fileset: Fileset) -> Fileset:
    """What failed before stays aside: to release is not to retry."""
    if fileset.state == "withdrawn":
        return replace(fileset, wish="")
    return _judged(replace(fileset, state="discovered", waits=False))


def _cancelled(fileset: Fileset) -> Fileset:
    emptied = _each(fileset, lambda file: _as_listed(replace(file, state="pending", waits=False)))
    return replace(emptied, state="cancelled", trouble="", waits=False)


def _retried(fileset: Fileset) -> Fileset:
    """The index is read again, and what was aside is tried; what was accepted and did not come is forgotten."""

    def clean(file: File) -> File:
        if file.state not in ASIDE:
            return file
        return replace(_as_listed(file) if file.refuted else file, state="pending", waits=False, tried=False)

    again = replace(_judged(_each(fileset, clean)), waits=False, tried=False)
    return replace(again, reread=True) if fileset.state == "published" else replace(again, state="discovered")


def _hastened(fileset: Fileset) -> Fileset:
    """Waits end; what is in quarantine stays there."""
    soon = _each(fileset, lambda file: replace(file, waits=False) if file.state == "retry_wait" else file)
    return replace(soon, waits=fileset.waits and fileset.trouble != "failed")


def _evident(file: File) -> bool:
    return file.state == "quarantined" and file.seen is not None


def _as_listed(file: File) -> File:
    return replace(file, wanted=file.listed or file.wanted, listed=None)


def _accepted(fileset: Fileset) -> Fileset:
    """What was seen is what is wanted."""

    def take(file: File) -> File:
        if not (_evident(file) and file.seen):
            return file
        return File("pending", file.seen, listed=file.listed or file.wanted)

    return _judged(_each(fileset, take))


# Upstream.


def listed(fileset: Fileset | None, offer: Offer | None) -> Fileset | None:
    """Return what a list makes of a fileset that it tells of, or (if it is a whole one) does not tell of."""
    if offer is None or offer.hidden:
        return fileset and replace(fileset, state="withdrawn", trouble="", waits=False, wish=_set_to(fileset))
    if fileset is None or fileset.registered != offer.registered:
        return Fileset(_set_to(fileset) or "discovered" if fileset else "discovered", offer.registered)
    if fileset.state == "withdrawn":
        was = "published" if fileset.was_published else "discovered"
        return replace(fileset, state=fileset.wish or was, wish="", reread=True)
    return fileset


def _set_to(fileset: Fileset) -> str:
    """Return what an operator has set a fileset to, be it listed or not; empty if nobody has."""
    return fileset.state if fileset.state in SET else fileset.wish


# The engine.


@dataclass(frozen=True)
class Found:
    """What a run finds of one fileset: the SHA-256 of its index (None: it can't be had), and by file what comes.

    `lists` are the digests in the index, `passing` files that fail once, `there` the digests of what is on the disk.
    """

    index: str | None
    lists: Mapping[str, str]
    comes: Mapping[str, str | None]
    passing: frozenset[str]
    there: frozenset[str]


def ran(fileset: Fileset, found: Found) -> set[Outcome]:
    """Return how a run that nobody disturbs may leave a fileset that is at work.

    The index of one that is in trouble is looked at, which may fail: upstream may have changed it.
    """
    outcomes = _ran(fileset, found)
    if fileset.trouble and found.index not in {None, fileset.index} and fileset.state != "published":
        outcomes |= _ran(replace(fileset, state="discovered", waits=False), found)
    return outcomes


def _ran(fileset: Fileset, found: Found) -> set[Outcome]:
    if (fileset.state == "discovered" or (fileset.state == "published" and fileset.reread)) and not fileset.waits:
        if found.index is None:
            return {(fileset.state, "failed"), *([(fileset.state, "quarantined")] if fileset.tried else [])}
        if fileset.state == "published" and found.index == fileset.index:
            return {("published", "")}
        if found.index != fileset.index:
            fileset = replace(fileset, files={name: File("pending", digest) for name, digest in found.lists.items()})
        fileset = replace(fileset, state="queued")
    if fileset.state not in {"queued", "transferring", *PASSED}:
        return {(fileset.state, fileset.trouble)}
    return _together([_fetched(name, file, found) for name, file in fileset.files.items()])


def _fetched(name: str, file: File, found: Found) -> set[str]:
    """Return the states in which a file may end up."""
    if file.waits:
        return {file.state}
    comes = found.comes.get(name)
    again = {"staged"} if file.wanted in found.there else set()
    if comes is not None and comes in (file.wanted, file.listed):
        return {"staged", *(["retry_wait"] if file.tried and name in found.passing else [])}
    if file.tried:
        return {*ASIDE, *again}
    return {"retry_wait" if comes is None else "quarantined", *again}


def _together(files: Sequence[set[str]]) -> set[Outcome]:
    """Return the outcomes of a fileset whose files may each have these states."""
    outcomes: set[Outcome] = set()
    for states in product(*files):
        trouble = "quarantined" if "quarantined" in states else "failed" if "retry_wait" in states else ""
        outcomes.add(("transferring", trouble) if trouble else ("published", ""))
    return outcomes
