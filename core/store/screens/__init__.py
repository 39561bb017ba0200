"""What screens show, read from the state: pictures whose cost does not grow with the number of files.

All functions only read, and may run on any connection; lists are read by key range or by id, totals from counters.
Texts are as the state has them, unless said otherwise: a screen shows them through core.text.display().
"""

from core.store.screens.details import (
    AttemptLine,
    FileLine,
    FilesetDetails,
    ProductDetails,
    file_lines,
    fileset_details,
    product_details,
)
from core.store.screens.failed import (
    FailureGroup,
    FailureLine,
    failed_filesets,
    failure_groups,
    failure_lines,
    failures_of,
)
from core.store.screens.history import peak, throughput
from core.store.screens.log import CommandLine, EventLine, commands, events
from core.store.screens.overview import MirrorLine, Overview, ProductLine, overview
from core.store.screens.queue import (
    QueueLine,
    QueueOrder,
    products_of,
    queue_ids,
    queue_lines,
    whole_names,
)

__all__ = [
    "AttemptLine",
    "CommandLine",
    "EventLine",
    "FailureGroup",
    "FailureLine",
    "FileLine",
    "FilesetDetails",
    "MirrorLine",
    "Overview",
    "ProductDetails",
    "ProductLine",
    "QueueLine",
    "QueueOrder",
    "commands",
    "events",
    "failed_filesets",
    "failure_groups",
    "failure_lines",
    "failures_of",
    "file_lines",
    "fileset_details",
    "overview",
    "peak",
    "product_details",
    "products_of",
    "queue_ids",
    "queue_lines",
    "throughput",
    "whole_names",
]
