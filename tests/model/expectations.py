"""What a run is expected to leave behind, fileset by fileset, from what was before it and what upstream has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from core.model import CommandKind as Kind
from core.store.commands import Target
from tests.model.mirror import Name, Seen, Wish
from tests.model.semantics import OPEN, PASSED, Found, Outcome, listed, ran, wished
from tests.model.upstream import Upstream, rows


def after_wishes(seen: Seen, wishes: Iterable[Wish]) -> Seen:
    """Return what wishes make of the state; they are carried out before anything else."""
    for kind, target in wishes:
        seen = _after_wish(seen, kind, target)
    return replace(seen, pending={})


def _after_wish(seen: Seen, kind: Kind, target: Target) -> Seen:
    if kind in (Kind.PAUSE, Kind.RESUME) and target.product is None:
        return replace(seen, paused=kind is Kind.PAUSE)
    if kind in (Kind.PAUSE, Kind.RESUME, Kind.MIRROR, Kind.IGNORE):
        known = seen.products.get(target.product or "")
        changed = (
            known
            and {
                Kind.PAUSE: replace(known, paused=True),
                Kind.RESUME: replace(known, paused=False),
                Kind.MIRROR: replace(known, selected=True),
                Kind.IGNORE: replace(known, selected=False),
            }[kind]
        )
        return replace(seen, products={**seen.products, target.product or "": changed}) if changed else seen
    if kind is Kind.LIMIT:
        return seen
    named = bool(target.filesets)
    after = {
        name: wished(kind, fileset, named=named) if _names(target, name) else None
        for name, fileset in seen.filesets.items()
    }
    return replace(seen, filesets=seen.filesets | {name: fileset for name, fileset in after.items() if fileset})


def _names(target: Target, name: Name) -> bool:
    return not target.filesets or "ps1/" + "/".join(name) in target.filesets


def applies(seen: Seen, kind: Kind, target: Target) -> bool | None:
    """Tell whether a wish will be carried out, or be refused; None: either is right."""
    if kind is Kind.LIMIT or (kind in (Kind.PAUSE, Kind.RESUME) and target.product is None):
        return True
    if target.product is not None:
        return target.product in seen.products
    if not target.filesets:
        return True
    names = [name for name in seen.filesets if _names(target, name)]
    if not names:
        return False
    fileset = seen.filesets[names[0]]
    if fileset.state in PASSED or (kind is Kind.MOVE and wished(kind, fileset, named=True)):
        return None
    return wished(kind, fileset, named=True) is not None


def outcomes(seen: Seen, upstream: Upstream, *, whole: bool, there: frozenset[str]) -> dict[Name, set[Outcome | None]]:
    """Return how a run that begins with this state may leave each fileset; None: it is not known of."""
    names = {*seen.filesets, *((p, f) for p in upstream.products for f in upstream.products[p])}
    expected: dict[Name, set[Outcome | None]] = {}
    for product, name in names:
        fileset = seen.filesets.get((product, name))
        if not at_work(seen, product):
            expected[product, name] = {(fileset.state, fileset.trouble) if fileset else None}
            continue
        expected[product, name] = set()
        for noticed in _noticed(seen, upstream, product, name, whole):
            now = listed(fileset, upstream.offer(product, name)) if noticed else fileset
            expected[product, name] |= ran(now, _found(upstream, product, name, there)) if now else {None}
            if fileset and fileset.state in OPEN and now and now.state == "withdrawn":
                # it may just have been on its way to its place: then the next list withdraws it
                expected[product, name] |= ran(fileset, _found(upstream, product, name, there)) & {("published", "")}
    return expected


def at_work(seen: Seen, product: str) -> bool:
    """Tell whether a product is mirrored and not paused; new ones are."""
    known = seen.products.get(product)
    return not seen.paused and (known is None or (known.selected and not known.paused))


def alarming(seen: Seen, upstream: Upstream, product: str) -> bool:
    """Tell whether upstream lists nothing any more of a product of which something is known."""
    known = any(of == product and one.state != "withdrawn" for (of, _), one in seen.filesets.items())
    return known and not upstream.listed(product)


def _noticed(seen: Seen, upstream: Upstream, product: str, name: str, whole: bool) -> set[bool]:
    """Return whether the list that is taken tells of a fileset: surely, surely not, or (both) perhaps."""
    if not upstream.lists(product) or alarming(seen, upstream, product):
        return {False}
    known, offer = seen.filesets.get((product, name)), upstream.offer(product, name)
    new = offer is not None and (known is None or known.registered != offer.registered)
    sure = whole or (new and not (offer and offer.ever_hidden) and not _cursors_moved(seen, upstream, product))
    return {True} if sure else {True, False}


def _cursors_moved(seen: Seen, upstream: Upstream, product: str) -> bool:
    """Tell whether a fileset that was seen was registered again: what came before it then is not after a cursor."""
    return any(
        of == product and offer.registered != one.registered
        for (of, name), one in seen.filesets.items()
        if (offer := upstream.offer(product, name))
    )


def _found(upstream: Upstream, product: str, name: str, there: frozenset[str]) -> Found:
    index, offer = upstream.index(product, name), upstream.offer(product, name)
    files = offer.files if offer else {}
    return Found(
        index=None if index is None else hashlib.sha256(index).hexdigest(),
        lists={row[0]: row[2] for row in rows(index or b"")},
        comes={file: upstream.comes(product, name, file) for file in files},
        passing=frozenset(file for file in files if f"{product}/{name}/{file}" in upstream.passing),
        there=there,
    )


def exit_code(seen: Seen) -> int:
    """Return what a state amounts to."""
    selected = {name: one for name, one in seen.products.items() if one.selected}
    filesets = [one for (product, _), one in seen.filesets.items() if product in selected]
    if any(product.failing or product.alarmed for product in selected.values()):
        return 4
    if any(one.trouble for one in filesets):
        return 3
    paused = seen.paused or any(product.paused for product in selected.values())
    return 7 if paused or any(one.state in OPEN | PASSED for one in filesets) else 0
