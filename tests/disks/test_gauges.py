"""What screens know of a disk that has just become full."""

from __future__ import annotations

import threading
from pathlib import Path

from core.config import load_config
from tests.core.engine.operator import operating
from tests.disks.disk import Disk
from tests.servers.datastore import DataStore, Fault

MB = 1_000_000


async def test_a_disk_that_stops_a_mirror_is_measured_at_once(tmp_path: Path, datastore: DataStore, disk: Disk) -> None:
    file = tmp_path / "mirrortui.toml"
    file.write_text(
        '[engine]\nstate = "mirror.db"\nmin_free = "0"\n\n[[mirror]]\nname = "ps1"\nprotocol = "ipp"\n'
        f'url = "{datastore.url}"\ndestination = "{disk.root / "data"}"\npoll_interval = "0.5s"\n'
    )
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"a" * 8 * MB})
    full = threading.Event()
    datastore.fault("p/f/a.dat", Fault.gate(full, after=MB))
    latest = "SELECT free < 1000000 FROM disks ORDER BY at DESC LIMIT 1"
    async with operating(load_config(file)) as operator:
        await operator.until_state("transferring", "f")
        await operator.until_seen(latest, (0,))
        disk.fill()
        full.set()
        await operator.until_seen("SELECT stopped_kind FROM mirrors", ("disk",))
        await operator.until_seen(latest, (1,))
