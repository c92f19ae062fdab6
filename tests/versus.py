"""The engine against asv's own `time_*` and pytest-benchmark: the same calls, machine and run, tools taking turns.

    .venv/bin/pip install pytest-benchmark
    .venv/bin/python tests/versus.py [ROUNDS]

Every tool measures each call in processes of its own, on the cores in turn; the engine in passes, as for a gate.
Printed for each: the median of their medians; what it adds to a delay that is known; and how far one process is from
another, as the standard deviation of the logarithm of their medians, in per cent.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, stdev

CALLS = """
from time import perf_counter_ns

def delay():
    end = perf_counter_ns() + 50_000
    while perf_counter_ns() < end:
        pass

def loss(shape):
    import torch
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(shape).mul_(3).requires_grad_()
    t, q = (torch.rand(shape) < 0.1).float(), torch.rand(shape[1]) + 1
    f = torch.nn.functional.binary_cross_entropy_with_logits
    return lambda: torch.autograd.grad(f(x, t, pos_weight=q), x)

MADE = {"delay_50us": lambda: delay, "loss_32x10": lambda: loss((32, 10)), "loss_512x1000": lambda: loss((512, 1000))}
"""
ENGINE = """
import json, sys
from calls import MADE
from lossvet.adapters.types import Prepared
from lossvet.benchmarks import pairs, timing
call = Prepared(MADE[sys.argv[1]]())
times = []
for _ in range(pairs.PASSES):
    found = timing.measure([call], timing.cpu_clock, pairs.BUDGET_NS)
    times.append(sorted(found.blocks)[len(found.blocks) // 2] / found.number)
print(json.dumps((sorted(times)[pairs.PASSES // 2 - 1] + sorted(times)[pairs.PASSES // 2]) / 2))
"""
ASV = """
import sys
sys.path.insert(0, {folder!r})
from calls import MADE
call = MADE[{name!r}]()  # here and not in setup(), which would make asv time single calls

def time_call():
    call()
"""
PYTEST = """
from calls import MADE

def test_call(benchmark):
    benchmark(MADE[{name!r}]())
"""


def engine(folder: Path, name: str, core: int) -> float:
    done = _run([sys.executable, "engine.py", name], folder, core)
    return float(json.loads(done.splitlines()[-1]))


def asv(folder: Path, name: str, core: int) -> float:
    suite = folder / f"asv_{name}"
    suite.mkdir(exist_ok=True)
    (suite / "__init__.py").write_text("")
    (suite / "suite.py").write_text(ASV.format(folder=str(folder), name=name))
    arguments = [str(suite), "suite.time_call", "{}", "None", "result.json"]
    program = "import sys; from asv_runner.run import _run; _run(sys.argv[1:])"
    _run([sys.executable, "-c", program, *arguments], folder, core)
    samples = json.loads((folder / "result.json").read_text())["samples"]
    return 1e9 * median(samples)


def pytest_benchmark(folder: Path, name: str, core: int) -> float:
    test = folder / f"test_{name}.py"
    test.write_text(PYTEST.format(name=name))
    _run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name, "--benchmark-json=b.json"],
        folder,
        core,
    )
    return 1e9 * float(json.loads((folder / "b.json").read_text())["benchmarks"][0]["stats"]["median"])


TOOLS = {"lossvet": engine, "asv time_*": asv, "pytest-benchmark": pytest_benchmark}


def _run(command: list[str], folder: Path, core: int) -> str:
    def stay() -> None:
        os.sched_setaffinity(0, {core})

    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, preexec_fn=stay, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(rounds: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    names = ("delay_50us", "loss_32x10", "loss_512x1000")
    found: dict[tuple[str, str], list[float]] = {}
    seconds = dict.fromkeys(TOOLS, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "calls.py").write_text(CALLS)
        Path(folder, "engine.py").write_text(ENGINE)
        for turn in range(rounds):
            for name in names:
                order = list(TOOLS)[turn % 3 :] + list(TOOLS)[: turn % 3]
                for tool in order:
                    start = time.monotonic()
                    found.setdefault((tool, name), []).append(TOOLS[tool](Path(folder), name, cores[turn % len(cores)]))
                    seconds[tool] += time.monotonic() - start
            print(f"round {turn + 1} of {rounds}", file=sys.stderr)
    print(f"{rounds} processes of each tool for each call")
    print(f"{'':18}{'call':>15}{'median':>12}{'added':>9}{'spread':>9}{'s a process':>13}")
    for name in names:
        for tool in TOOLS:
            values = found[tool, name]
            added = f"{100 * (median(values) / 50_000 - 1):+.2f} %" if name == "delay_50us" else ""
            spread = 100 * stdev(map(math.log, values))
            each = seconds[tool] / rounds / len(names)
            print(f"{tool:18}{name:>15}{median(values) / 1e3:>9.1f} us{added:>9}{spread:>7.2f} %{each:>13.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
