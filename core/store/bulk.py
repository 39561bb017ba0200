"""Many rows for one statement, as JSON.

A statement for each row would copy every page it touches to the statement journal anew, and take and give up the
interpreter's lock once per row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable


def table(rows: Iterable[object]) -> str:
    """Return `rows`, each a value or a tuple of `fields`, as a parameter for ``json_each(?)``."""
    return json.dumps(list(rows), ensure_ascii=False, separators=(",", ":"))


def fields(count: int) -> str:
    """Return the SQL of the first `count` members of each row of ``json_each``."""
    return ", ".join(f"json_extract(value, '$[{at}]')" for at in range(count))
