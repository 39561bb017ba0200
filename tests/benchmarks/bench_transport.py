"""Speed of the transport beside ``curl -Z`` and md5sum, from nginx on loopback. Run by hand:

python -m tests.benchmarks.bench_transport [--files 20000] [--rounds 3]

Needs nginx, curl and 2 GB of disk in the directory given by TMPDIR.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.transfer.base import Access, Job, Outcome
from core.transfer.curl import CurlTransport

AT_ONCE = 64
NGINX = """
worker_processes 1;
daemon off;
pid {root}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {root}/tmp; proxy_temp_path {root}/tmp; fastcgi_temp_path {root}/tmp;
    uwsgi_temp_path {root}/tmp; scgi_temp_path {root}/tmp;
    server {{ listen 127.0.0.1:{port}; root {root}/files; }}
}}
"""


@dataclass(frozen=True)
class Load:
    """Files to fetch: names with their digests, all of one size."""

    digests: dict[str, str]
    size: int

    @property
    def bytes(self) -> int:
        return len(self.digests) * self.size


def make_load(directory: Path, prefix: str, count: int, size: int) -> Load:
    seed = os.urandom(min(size, 1 << 20))
    digests = {}
    for number in range(count):
        name = f"{prefix}{number:05d}"
        md5 = hashlib.md5(usedforsecurity=False)
        with (directory / name).open("wb") as file:
            for start in range(0, size, len(seed)):
                block = (number.to_bytes(8, "big") + start.to_bytes(8, "big") + seed)[: min(len(seed), size - start)]
                file.write(block)
                md5.update(block)
        digests[name] = md5.hexdigest()
    return Load(digests, size)


@contextmanager
def nginx(root: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (root / "tmp").mkdir()
    config = root / "nginx.conf"
    config.write_text(NGINX.format(root=root, port=port))
    server = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(config), "-p", str(root)])
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


async def fetch_all(url: str, load: Load, target: Path) -> None:
    """Keep AT_ONCE jobs under way until all files are there, as an engine would."""
    transport = CurlTransport()
    access = Access()
    done = asyncio.get_running_loop().create_future()
    directory = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    jobs = iter(
        [
            Job(number, f"{url}/{name}", directory, name, load.size, digest, access)
            for number, (name, digest) in enumerate(load.digests.items())
        ]
    )
    left = len(load.digests)

    def take(outcomes: list[Outcome]) -> None:
        nonlocal left
        left -= len(outcomes)
        failed = next((outcome for outcome in outcomes if outcome.kind is not None), None)
        if failed is not None:
            done.set_exception(RuntimeError(failed.detail))
        elif not left:
            done.set_result(None)
        else:
            transport.submit([job for _, job in zip(outcomes, jobs, strict=False)])

    transport.start(take)
    transport.submit([job for _, job in zip(range(2 * AT_ONCE), jobs, strict=False)])
    try:
        await done
    finally:
        transport.close()
        os.close(directory)


def with_transport(url: str, load: Load, target: Path) -> None:
    asyncio.run(fetch_all(url, load, target))


def with_curl(url: str, load: Load, target: Path) -> None:
    lines = [f'url = "{url}/{name}"\noutput = "{target}/{name}"' for name in load.digests]
    command = ["curl", "--no-progress-meter", "-Z", "--parallel-max", str(AT_ONCE), "-K", "-"]
    subprocess.run(command, input="\n".join(lines).encode(), check=True)
    sums = "".join(f"{digest}  {target}/{name}\n" for name, digest in load.digests.items())
    subprocess.run(["md5sum", "--quiet", "-c", "-"], input=sums.encode(), check=True)


def measure(way: Callable[[str, Load, Path], None], url: str, load: Load, root: Path, rounds: int) -> float:
    """Return the median seconds that `way` takes, writing into an empty directory each time."""
    seconds = []
    for _ in range(rounds):
        target = root / "target"
        target.mkdir()
        os.sync()
        started = time.perf_counter()
        way(url, load, target)
        seconds.append(time.perf_counter() - started)
        shutil.rmtree(target)
    return statistics.median(seconds)


def report(title: str, url: str, load: Load, root: Path, rounds: int) -> None:
    reference = measure(with_curl, url, load, root, rounds)
    ours = measure(with_transport, url, load, root, rounds)
    for name, seconds in (("curl -Z and md5sum", reference), ("transport", ours)):
        files, megabytes = len(load.digests) / seconds, load.bytes / seconds / 1e6
        sys.stdout.write(f"{title}  {name:20} {seconds:6.2f} s {files:9.0f} files/s {megabytes:8.1f} MB/s\n")
    sys.stdout.write(f"{title}  speed relative to curl -Z and md5sum: {reference / ours:.2f}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=512, help="size of each of the two large files in MB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "files").mkdir()
        small = make_load(root / "files", "small", options.files, 10_000)
        large = make_load(root / "files", "large", 2, options.large * 1_000_000)
        with nginx(root) as url:
            report("10 kB files ", url, small, root, options.rounds)
            report("large files ", url, large, root, options.rounds)


if __name__ == "__main__":
    main()
