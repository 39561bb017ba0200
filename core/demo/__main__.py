"""The demo's Data Store as a process: ``python -m core.demo GROWTH PACE``, see DemoStore.

It writes one line of JSON, its URL and the name of its hidden product, and serves until its standard input ends: so it
never outlives whoever started it, however that one ends.
"""

from __future__ import annotations

import json
import sys

from core.demo.server import DemoStore


def main() -> None:
    """Serve a flaky store that grows."""
    growth, pace = sys.argv[1:]
    with DemoStore(growth=float(growth), flaky=True, pace=int(pace)) as store:
        sys.stdout.write(json.dumps({"url": store.url, "hidden": store.hidden_product}) + "\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
