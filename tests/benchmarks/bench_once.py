"""Speed and memory of a whole ``mirrortui --once`` beside ``curl -Z`` and md5sum, from nginx on loopback. Run by hand:

python -m tests.benchmarks.bench_once [--filesets 200] [--rounds 3]

Ours includes start-up, catalogues, state, digests and publishing. Needs nginx, curl, and some GB of disk in TMPDIR.
Each round writes to a new directory and nothing is deleted in between: ext4 makes whoever creates files pay
for inodes that were freed a moment ago.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.bench_transport import AT_ONCE, Load, make_load, nginx
from tests.whole.site import COMMAND, HERE

REGISTERED = "2026-11-01T00:00:00Z"


def make_product(root: Path, name: str, filesets: int, files: int, size: int) -> dict[str, Load]:
    """Write a product with its indexes; return what its filesets hold."""
    loads: dict[str, Load] = {}
    product = root / name
    product.mkdir()
    for number in range(filesets):
        fileset = f"fs{number:05d}"
        (product / fileset).mkdir()
        loads[fileset] = load = make_load(product / fileset, "f", files, size)
        rows = "".join(f"{file}|{size}|{digest}|dat|\n" for file, digest in load.digests.items())
        (product / fileset / "index.txt").write_text(f"# fileID|bytes|md5sum|type|\n{rows}")
    rows = "".join(f"{fileset}|{REGISTERED}|bench|\n" for fileset in loads)
    (product / "index.txt").write_text(f"# filesetID|time registered|type|\n{rows}")
    return loads


def mirror(url: str, product: str, target: Path) -> int:
    """Run the program; return its peak memory in bytes."""
    (target / "mirrortui.toml").write_text(
        f'[engine]\nstate = "mirror.db"\n[[mirror]]\nname = "b"\nprotocol = "ipp"\nurl = "{url}"\n'
        f'destination = "data"\nproducts = ["{product}"]\n'
    )
    process = subprocess.Popen([*COMMAND, "--once", "--quiet"], cwd=target, env={**os.environ, "PYTHONPATH": str(HERE)})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"mirrortui ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024


def with_curl(url: str, product: str, loads: dict[str, Load], target: Path) -> None:
    files = {f"{fileset}/{file}": digest for fileset, load in loads.items() for file, digest in load.digests.items()}
    lines = [f'url = "{url}/{product}/{path}"\noutput = "{target}/{path}"' for path in files]
    command = ["curl", "--no-progress-meter", "-Z", "--parallel-max", str(AT_ONCE), "--create-dirs", "-K", "-"]
    subprocess.run(command, input="\n".join(lines).encode(), check=True)
    sums = "".join(f"{digest}  {target}/{path}\n" for path, digest in files.items())
    subprocess.run(["md5sum", "--quiet", "-c", "-"], input=sums.encode(), check=True)


def seconds_of(work: Callable[[Path], object], root: Path) -> float:
    target = Path(tempfile.mkdtemp(dir=root))
    os.sync()
    started = time.perf_counter()
    work(target)
    return time.perf_counter() - started


def report(url: str, product: str, loads: dict[str, Load], root: Path, rounds: int) -> None:
    """Print medians, and the ratio of pairs taken in turn: so a machine that drifts does not decide."""
    memory: list[int] = []
    pairs = [
        (
            seconds_of(lambda target: with_curl(url, product, loads, target), root),
            seconds_of(lambda target: memory.append(mirror(url, product, target)), root),
        )
        for _ in range(rounds)
    ]
    files = sum(len(load.digests) for load in loads.values())
    size = sum(load.bytes for load in loads.values())
    for name, taken in zip(("curl -Z and md5sum", "mirrortui --once"), zip(*pairs, strict=True), strict=True):
        seconds = statistics.median(taken)
        sys.stdout.write(
            f"{product}  {name:20} {seconds:6.2f} s {files / seconds:9.0f} files/s {size / seconds / 1e6:8.1f} MB/s\n"
        )
    ratio = statistics.median(reference / ours for reference, ours in pairs)
    sys.stdout.write(f"{product}  speed relative to curl -Z and md5sum: {ratio:.2f}; peak {max(memory) / 1e6:.0f} MB\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filesets", type=int, default=200, help="of 100 files of 10 kB")
    parser.add_argument("--large", type=int, default=512, help="size of each of the two large files in MB")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        source = root / "files"
        source.mkdir()
        products = {
            "small": make_product(source, "small", options.filesets, 100, 10_000),
            "large": make_product(source, "large", 1, 2, options.large * 1_000_000),
        }
        rows = "".join(f"{product}|none|{REGISTERED}|bench||\n" for product in products)
        (source / "index.txt").write_text(f"# productID|Most recent|Time registered|type|Description|\n{rows}")
        with nginx(root) as url:
            for product, loads in products.items():
                report(url, product, loads, root, options.rounds)


if __name__ == "__main__":
    main()
