"""`explain_dataset` over several processes: the same maps as from one, nothing twice, and nothing lost when processes are killed.

The slow run, twenty kills of one worker or of all: pytest tests/test_many_processes.py --kills 20
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason='reads Parquet: pip install "moram[bulk]"')

PROGRAM = """
import sys
import torch
from moram.bulk import explain_dataset
from moram.dataset import RectangleDataset
from moram.model import VGG16GAP

torch.set_num_threads(1)
explain_dataset(VGG16GAP(1 / 16, seed=1), RectangleDataset(n=int(sys.argv[2]), size=32), sys.argv[1], batch_size=16, shard_size=40, progress=False)
"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def command(program: Path, out: Path, pictures: int, processes: int) -> list[str]:
    place = ["--master-addr=127.0.0.1", f"--master-port={free_port()}"]
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", *place] if processes > 1 else []
    return [sys.executable, *launcher, str(program), str(out), str(pictures)]


def content(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in out.iterdir()}


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("program") / "explain.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture(scope="module")
def undisturbed(program, tmp_path_factory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "maps"
    subprocess.run(command(program, out, 610, 1), check=True, timeout=300)
    return content(out)


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_write_what_one_writes(program, undisturbed, tmp_path, processes):
    out = tmp_path / "maps"  # 610 pictures in shards of 40: 16 shards, the last one short, which neither 2 nor 3 processes share evenly
    subprocess.run(command(program, out, 610, processes), check=True, timeout=300)
    assert content(out) == undisturbed


def workers(parent: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True).stdout.split()
    return [int(pid) for pid in found]


def test_killed_at_random_moments(program, undisturbed, tmp_path, request):
    out, dice = tmp_path / "maps", random.Random(0)
    for kill in range(request.config.getoption("--kills")):
        running = subprocess.Popen(command(program, out, 610, 2), stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(3, 9))  # before, while and after the shards are written
        made = {file.name: file.stat().st_mtime_ns for file in out.glob("table-*")}
        started = workers(running.pid)
        if kill % 2 and started:
            os.kill(dice.choice(started), signal.SIGKILL)
            running.wait(timeout=120)
        else:
            for pid in (running.pid, *started):  # the launcher's workers are groups of their own
                os.kill(pid, signal.SIGKILL)
            running.wait()
        assert all((out / name).stat().st_mtime_ns == at for name, at in made.items()), "a finished shard was made again"
    subprocess.run(command(program, out, 610, 2), check=True, timeout=300)
    assert content(out) == undisturbed
