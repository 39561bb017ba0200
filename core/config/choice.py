"""Which names a configuration chooses, and the lines of it that would choose others."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from glob import escape


def matches(name: str, include: Sequence[str], exclude: Sequence[str] = ()) -> bool:
    """Tell whether `name` matches one of the globs `include` and none of `exclude`; case counts."""
    return any(fnmatchcase(name, glob) for glob in include) and not any(fnmatchcase(name, glob) for glob in exclude)


@dataclass(frozen=True, slots=True)
class ProductChoice:
    """The keys of a mirror that choose its products."""

    products: tuple[str, ...]
    exclude_products: tuple[str, ...]
    hidden_products: tuple[str, ...]

    def selects(self, product: str) -> bool:
        """Tell whether a product of this name is mirrored."""
        return product in self.hidden_products or matches(product, self.products, self.exclude_products)

    @property
    def named(self) -> tuple[str, ...]:
        """The products that are chosen by name, not by a glob: their source need not list them."""
        return tuple(name for name in self.products if not set(name) & set("*?[") and self.selects(name))

    def lines(self, wishes: Mapping[str, bool], known: Collection[str]) -> str:
        """Return the configuration that fulfils `wishes` (product: mirrored or not), as the lines that change.

        `known` are the products of the source: a glob that chooses too much may have to be replaced by names.
        """
        wanted = self
        for product, mirrored in wishes.items():
            if wanted.selects(product) != mirrored:
                wanted = wanted._with(product, known) if mirrored else wanted._without(product)
        changed = [key for key in ProductChoice.__slots__ if getattr(wanted, key) != getattr(self, key)]
        return " and ".join(f"{key} = {_toml(getattr(wanted, key))}" for key in changed)

    def _with(self, product: str, known: Collection[str]) -> ProductChoice:
        """Return the choice that takes in `product`, too."""
        excluded: list[str] = []
        for glob in self.exclude_products:
            taken = fnmatchcase(product, glob)
            excluded += [escape(name) for name in sorted(known) if fnmatchcase(name, glob)] if taken else [glob]
        choice = replace(self, exclude_products=_but(excluded, escape(product)))
        return choice if choice.selects(product) else replace(choice, products=(*self.products, escape(product)))

    def _without(self, product: str) -> ProductChoice:
        """Return the choice that leaves out `product`."""
        choice = replace(
            self, products=_but(self.products, escape(product)), hidden_products=_but(self.hidden_products, product)
        )
        if choice.selects(product):
            return replace(choice, exclude_products=(*self.exclude_products, escape(product)))
        return choice


def _but(names: Iterable[str], unwanted: str) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(names) if name != unwanted)


def _toml(names: Sequence[str]) -> str:
    return json.dumps(names, ensure_ascii=False)
