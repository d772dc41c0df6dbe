"""Explaining and training over several processes: the same as from one, nothing twice, and nothing lost when processes are killed.

The slow run, twenty kills of one worker or of all, for each of both: pytest tests/test_many_processes.py --kills 20
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
import torch

from moram.model import read_safetensors

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

TRAINING = """
import sys
import torch
from moram.dataset import RectangleDataset
from moram.model import VGG16GAP
from moram.train import train_to_file

torch.set_num_threads(1)
data = RectangleDataset(n=int(sys.argv[2]), size=32)
train_to_file(VGG16GAP(1 / 16, seed=1), data, sys.argv[1], {}, epochs=8, batch_size=16, device="cpu", progress=False)
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


def kill(running: subprocess.Popen, one: bool, dice: random.Random) -> None:
    "SIGKILL to one worker, whose launcher then ends the rest, or to the launcher and all workers."
    started = workers(running.pid)
    if one and started:
        os.kill(dice.choice(started), signal.SIGKILL)
        running.wait(timeout=120)
    else:
        for pid in (running.pid, *started):  # the launcher's workers are groups of their own
            os.kill(pid, signal.SIGKILL)
        running.wait()


def test_killed_at_random_moments(program, undisturbed, tmp_path, request):
    out, dice = tmp_path / "maps", random.Random(0)
    for number in range(request.config.getoption("--kills")):
        running = subprocess.Popen(command(program, out, 610, 2), stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(3, 9))  # before, while and after the shards are written
        made = {file.name: file.stat().st_mtime_ns for file in out.glob("table-*")}
        kill(running, number % 2 == 1, dice)
        assert all((out / name).stat().st_mtime_ns == at for name, at in made.items()), "a finished shard was made again"
    subprocess.run(command(program, out, 610, 2), check=True, timeout=300)
    assert content(out) == undisturbed


def started(arguments: list[str], lock: Path) -> subprocess.Popen:
    "The command, running, from the moment at which it begins to learn."
    lock.unlink(missing_ok=True)  # a killed one leaves its own
    running = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    while not lock.exists() and running.poll() is None:
        time.sleep(0.02)
    return running


def test_training_is_killed_at_random_moments(tmp_path, request):
    program, dice, whole = tmp_path / "train.py", random.Random(0), tmp_path / "undisturbed" / "net.safetensors"
    program.write_text(TRAINING)
    running, start = started(command(program, whole, 640, 2), whole.with_suffix(".lock")), time.monotonic()
    assert running.wait(timeout=300) == 0
    seconds, file, epochs = time.monotonic() - start, tmp_path / "killed" / "net.safetensors", [0]
    checkpoint = file.with_suffix(".checkpoint.safetensors")
    for number in range(request.config.getoption("--kills")):
        running = started(command(program, file, 640, 2), file.with_suffix(".lock"))
        time.sleep(dice.uniform(0, 0.7) * seconds)
        kill(running, number % 2 == 1, dice)
        if file.exists():  # done before it was killed: once more from the start
            assert_same_weights(file, whole)
            file.unlink()
            checkpoint.unlink(missing_ok=True)
            epochs.append(0)
        done = len(read_safetensors(checkpoint)[1]["history"]) if checkpoint.exists() else 0
        assert done >= epochs[-1], "a finished epoch was lost"
        epochs.append(done)
    subprocess.run(command(program, file, 640, 2), check=True, timeout=300)
    assert_same_weights(file, whole)
    assert [left.name for left in file.parent.iterdir()] == [file.name]
    print("epochs that were done at each kill:", *epochs[1:])


def assert_same_weights(file: Path, other: Path) -> None:
    (a, _), (b, _) = read_safetensors(file), read_safetensors(other)
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_second_command_with_the_same_file_is_refused(tmp_path):
    program = tmp_path / "train.py"
    program.write_text(TRAINING)
    first = started(command(program, tmp_path / "out" / "net.safetensors", 3000, 1), tmp_path / "out" / "net.lock")
    try:
        second = subprocess.run(command(program, tmp_path / "out" / "net.safetensors", 3000, 1), capture_output=True, text=True, timeout=120)
    finally:
        first.kill()
        first.wait()
    assert "another command is writing here" in second.stderr.splitlines()[-1]
