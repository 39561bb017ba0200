"""The products of a source as rows and words: what is known of them, and how much has been chosen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from core.errors import SourceError
from core.logs import redact_secrets
from core.model import ListedProduct
from core.survey import Extent, Offer, Told
from core.text import display
from core.units import counted, format_time
from tui import format as fmt
from tui.widgets.prose import Piece
from tui.widgets.table import Cell, Column, Row

UNKNOWN, NONE = "?", "none"
MEASURED = 100
"""How many products are looked into without being asked: those with the newest filesets."""
COLUMNS = (
    Column("product", "product", 18, grow=True),
    Column("type", "type", 9, rank=2),
    Column("newest", "newest", 7, "right"),
    Column("filesets", "filesets", 9, "right"),
    Column("files", "files", 11, "right", rank=1),
    Column("size", "size", 10, "right"),
    Column("about", "description", 30, rank=3),
)
SORTS = ("product", "newest", "filesets", "size")
"""The columns by which one can sort, in the order in which the key goes through them."""


@dataclass(slots=True)
class Offered:
    """What is known so far: the root index, and what became of looking into products."""

    offer: Offer
    told: dict[str, Told] = field(default_factory=dict)

    def extent(self, name: str) -> Extent | None:
        """Return how much a product holds, if that is known."""
        told = self.told.get(name)
        return told if isinstance(told, Extent) else None


def to_measure(products: Sequence[ListedProduct]) -> list[str]:
    """Return the products that are looked into, those with the newest filesets first."""
    newest = sorted(products, key=lambda product: product.registered or 0, reverse=True)
    return [product.name for product in newest[:MEASURED]]


def ordered(offered: Offered, sort: str) -> list[str]:
    """Return the names in order; figures fall, and what isn't known comes last."""
    products = sorted(offered.offer.products, key=lambda product: product.name)
    if sort == "newest":
        products.sort(key=lambda product: product.registered or 0, reverse=True)
    elif sort in {"filesets", "size"}:
        products.sort(key=lambda product: _figure(offered.extent(product.name), sort), reverse=True)
    return [product.name for product in products]


def _figure(extent: Extent | None, sort: str) -> int:
    if extent is None:
        return -1
    return extent.filesets if sort == "filesets" else extent.bytes


def row(product: ListedProduct, told: Told | None, now: float) -> Row:
    """Return the cells of a product."""
    newest = NONE if product.most_recent is None else UNKNOWN
    if product.most_recent is not None and product.registered is not None:
        newest = fmt.span(now - product.registered)
    if isinstance(told, Extent):
        about = "" if told.exact else "~"
        figures = [fmt.amount(told.filesets), about + fmt.amount(told.files), about + fmt.size(told.bytes)]
    else:
        figures = [UNKNOWN] * 3
    style = "warn" if isinstance(told, SourceError) else ""
    return (
        Cell(display(product.name)),
        Cell(display(product.type, 40), "dim"),
        Cell(newest),
        *(Cell(figure, style) for figure in figures),
        Cell(display(product.description, 200), "dim"),
    )


def about(product: ListedProduct, told: Told | None) -> list[list[Piece]]:
    """Return all that is known of a product, as lines."""
    newest = "nothing is registered"
    if product.most_recent is not None:
        when = f", {format_time(product.registered)}" if product.registered is not None else ""
        newest = f"newest: {display(product.most_recent)}{when}"
    lines: list[list[Piece]] = [
        [(display(product.name), "bold"), (f"  {display(product.type)}  {newest}", "")],
        [(display(product.description) or "without a description", "dim")],
    ]
    if isinstance(told, SourceError):
        lines.append([(f"its size is not known: {redact_secrets(told.detail)}", "warn")])
    elif told is None:
        lines.append([("? its size is not known yet", "dim")])
    elif not told.exact:
        lines.append([("~ estimated from a few of its filesets", "dim")])
    return lines


def chosen_words(offered: Offered, marked: Collection[str], free: int | None) -> str:
    """Say how many products are marked, how much is in them, and whether there is room for it."""
    total = len(offered.offer.products)
    extents = [extent for name in marked if (extent := offered.extent(name)) is not None]
    size = sum(extent.bytes for extent in extents)
    exact = all(extent.exact for extent in extents)
    words = (
        f"all {total:,} marked, and what will come"
        if 0 < len(marked) == total
        else f"{len(marked):,} of {total:,} marked"
    )
    if extents:
        filesets = counted(sum(extent.filesets for extent in extents), "fileset")
        words += f": {filesets}, {'' if exact else '~'}{fmt.size(size)}"
    if missing := len(marked) - len(extents):
        words += f", {missing:,} of unknown size"
    if free is not None:
        words += f"; {fmt.size(free)} free"
    return words + (", TOO LITTLE" if free is not None and size > free else "")


def notes(offered: Offered, reading: bool) -> list[list[Piece]]:
    """Return what is to be said of the list as a whole."""
    offer, lines = offered.offer, list[list[Piece]]()
    wanted = min(len(offer.products), MEASURED)
    if reading:
        lines.append([(f"looking into products: {len(offered.told):,} of {wanted:,}; x stops that", "dim")])
    elif len(offered.told) < len(offer.products):
        lines.append([(f"? not looked into: {len(offer.products) - len(offered.told):,} products", "dim")])
    if offer.more:
        lines.append([(f"{offer.more:,} more are not shown; choose them in the file", "warn")])
    if offer.refused:
        first = offer.refused[0]
        words = f"{counted(len(offer.refused), 'row')} of the root index refused; line {first.line}: {first.name}: "
        lines.append([(words + first.reason, "warn")])
    return lines
