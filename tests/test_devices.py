"""How a GPU is measured: driven by a fake device whose clock only it moves, and for real where there is a GPU."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fake_device
import plugged
from fake_device import GIVE_NS, WAKE_NS, Gpu, Tensor, Torch, call

from lossvet.adapters import devices, jax_, tensorflow_, tensorflow_v1_, torch_
from lossvet.adapters.devices import ColdClock, EventClock, QueueClock
from lossvet.adapters.types import Adapter, Clock, Device, Measured, Outcome, Prepared, Raised, recipes
from lossvet.benchmarks import limit, worker, workloads
from lossvet.benchmarks.bench_client import BenchClient
from lossvet.benchmarks.messages import Bandwidth, Failed, Measure, MeasureBandwidth, MeasureDrift, Reply, Sampled
from lossvet.benchmarks.samples import Header, Moved, Sample, Samples
from lossvet.benchmarks.subjects import subject
from lossvet.benchmarks.table import Row, fastest, table
from lossvet.reference import variants
from lossvet.workers import frames, machine, messages
from lossvet.workers.client import Side
from lossvet.workers.machine import cores
from lossvet.workers.messages import Hello

WORK = 10_000
"""Bytes of a call, and so nanoseconds of its work: five times what it takes to give it away."""


def subject_name(shape: str = "64x100", variant: str = "sparse") -> str:
    return f"{variant}/composed/fake_device/eager/float32/cuda/{shape}/forward"


# Two clocks ----------------------------------------------------------------------------------------------------------


def queue_clock(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> QueueClock:
    monkeypatch.setattr(devices, "perf_counter_ns", gpu.clock)
    return QueueClock(gpu.synchronize)


def hasty_clock(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Reads the time when everything is given, and nothing done."""

    def clock(calls: Sequence[Prepared], number: int) -> int:
        gpu.synchronize()
        start = gpu.clock()
        for i in range(number):
            calls[i % len(calls)].dispatch()
        return gpu.clock() - start

    return clock


def late_clock(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Starts while the device is still at something else."""

    def clock(calls: Sequence[Prepared], number: int) -> int:
        start = gpu.clock()
        for i in range(number):
            answers = calls[i % len(calls)].dispatch()
        calls[0].wait(answers)
        return gpu.clock() - start

    return clock


def event_clock(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> EventClock:
    return EventClock(gpu)


def test_events_stand_around_calls_that_are_queued_and_waited_for_once() -> None:
    gpu = Gpu()
    calls = [call(gpu, name, WORK) for name in "abc"]
    gpu.give("earlier", ("earlier", 1_000_000))
    gpu.log.clear()
    elapsed = EventClock(gpu)(calls, 5)
    assert gpu.log == [
        "synchronize", "record", "cold a", "cold b", "cold c", "warm a", "warm b", "record", "synchronize",
    ]  # fmt: skip
    assert elapsed == GIVE_NS + 5 * WORK


def test_the_time_of_the_events_is_not_that_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu()
    calls = [call(gpu, "a", WORK)]
    host = queue_clock(gpu, monkeypatch)(calls, 5)
    assert EventClock(gpu)(calls, 5) + WAKE_NS <= host


def test_a_queue_is_empty_at_first_and_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu()
    calls = [call(gpu, name, WORK) for name in "abc"]
    gpu.give("earlier", ("earlier", 1_000_000))
    gpu.log.clear()
    elapsed = queue_clock(gpu, monkeypatch)(calls, 5)
    assert gpu.log == [
        "synchronize", "clock", "cold a", "cold b", "cold c", "warm a", "warm b", "synchronize", "clock",
    ]  # fmt: skip
    assert elapsed == GIVE_NS + 5 * WORK + WAKE_NS + fake_device.READ_NS


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [
        (event_clock, 1.0, 1.01),
        (queue_clock, 1.0, 1.04),
        (hasty_clock, 0.19, 0.21),  # what giving takes
        (late_clock, 1.9, 2.1),  # what came before, and the calls
    ],
)
def test_a_clock_that_waits_too_little_or_too_late_tells_something_else(
    make: Callable[[Gpu, pytest.MonkeyPatch], Clock], low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu, number = Gpu(), 100
    clock = make(gpu, monkeypatch)
    gpu.give("earlier", ("earlier", number * WORK))
    assert low <= clock([call(gpu, "a", WORK)], number) / (number * WORK) <= high


# Nothing in the cache ------------------------------------------------------------------------------------------------


def test_a_cold_block_finds_nothing_in_the_cache_and_keeps_its_last_answers() -> None:
    gpu = Gpu(cache=50 * WORK)
    device = torch_.measured(Torch(gpu))["cuda"]
    number = devices.places(device, WORK)
    assert (number - 1) * WORK >= gpu.get_device_properties(0).L2_cache_size
    calls, clock = [call(gpu, f"call {i}", WORK) for i in range(number)], ColdClock(device)
    for block in (3, 20, number, 3 * number):
        gpu.log.clear()
        assert clock(calls, block) == GIVE_NS + block * WORK
        assert [x for x in gpu.log if "call" in x] == [f"cold call {i % number}" for i in range(block)]
        assert clock.last == gpu.free


def test_without_it_the_next_block_begins_with_what_the_last_one_left() -> None:
    gpu = Gpu(cache=50 * WORK)
    device = torch_.measured(Torch(gpu))["cuda"]
    calls = [call(gpu, f"call {i}", WORK) for i in range(devices.places(device, WORK))]
    for _ in range(2):
        gpu.log.clear()
        device.clock(calls, 3)
    assert [x for x in gpu.log if "call" in x] == [f"warm call {i}" for i in range(3)]


def test_there_are_never_more_places_than_a_block_has_calls() -> None:
    device = torch_.measured(Torch(Gpu(cache=50 * 2**20)))["cuda"]
    assert [devices.places(device, n) for n in (4_000, 2**20, 2**30)] == [devices.MOST_PLACES, 51, 2]


def sampled(adapter: Adapter, shape: str, whole: bool = False) -> Sampled:
    reply = worker.answer(adapter, Measure(subject_name(shape), ("loss/mean",), whole), {})
    assert isinstance(reply, Sampled), reply
    return reply


@pytest.mark.parametrize("shape", ["8x10", "64x100", "256x1000"])
def test_the_timed_calls_of_a_sample_find_no_input_in_the_cache(shape: str) -> None:
    gpu = Gpu()
    found = sampled(fake_device.adapter(gpu), shape)
    timed = [x for x in gpu.log if "call" in x][-found.number * len(found.blocks) :]
    assert {x.split()[0] for x in timed} == {"cold"}


@pytest.mark.parametrize("nbytes", [1_000, 2**16])
def test_the_limit_is_that_of_the_memory(nbytes: int) -> None:
    """Neither that of the cache nor that of a launch."""
    gpu = Gpu()
    reply = worker.answer(fake_device.adapter(gpu), MeasureBandwidth(nbytes, "cuda"), {})
    assert isinstance(reply, Bandwidth)
    assert reply.copy == reply.read == pytest.approx(1 / fake_device.BYTES_PER_NS, rel=0.01)
    assert not any(x.startswith("warm") for x in gpu.log)


# Numbers of the timed calls ------------------------------------------------------------------------------------------


def doubled(answers: dict[str, Any]) -> dict[str, Any]:
    return {k: 2 * v for k, v in answers.items()}


def refused(answers: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(answers, Raised("OutOfMemoryError", "no memory left"))


def outcome(reply: Sampled) -> Outcome:
    (found,) = (messages.outcome(x) for x in reply.outcomes.values())
    return found


def test_what_is_judged_is_what_the_timed_calls_computed() -> None:
    """The calls go wrong only where they are queued behind others: each one alone is right."""
    sound, wrong = (outcome(sampled(fake_device.adapter(rushed=r), "64x100", whole=True)) for r in (None, doubled))
    assert isinstance(sound, Measured)
    assert isinstance(wrong, Measured)
    np.testing.assert_array_equal(wrong.value, 2 * sound.value)


@pytest.mark.parametrize("whole", [False, True])
def test_calls_that_were_refused_are_no_sample(whole: bool) -> None:
    """An exception is fast."""
    reply = worker.answer(fake_device.adapter(rushed=refused), Measure(subject_name(), ("loss/mean",), whole), {})
    assert reply == Failed("loss/mean: OutOfMemoryError: no memory left")


def test_the_fake_device_notices_a_read_of_what_is_not_there_yet() -> None:
    adapter, variant = fake_device.adapter(), variants.load("sparse")
    case = workloads.workload(variant.name, workloads.Shape(64, 100))
    made = adapter.prepare(recipes(adapter, variant)["composed"], case, "eager", "float32", "cuda", ("loss/mean",))
    answers = made.dispatch()
    with pytest.raises(AssertionError, match="before it was there"):
        adapter.read(answers)
    assert isinstance(adapter.read(made.wait(answers))["loss/mean"], Measured)


# The limit -----------------------------------------------------------------------------------------------------------


def rows(*samples: Sample, moved: float = 1.0) -> tuple[Row, ...]:
    header = Header(1, "", {}, {}, {}, {}, "")
    sizes = {limit.moved(subject(s.subject)) for s in samples}
    return table(Samples(header, (*samples, *(Moved("fake_device", "cuda", 0, n, moved, moved) for n in sizes)), True))


@pytest.mark.parametrize(("factor", "void"), [(0.5, False), (1.0, False), (1.09, False), (1.11, True), (20.0, True)])
def test_what_beats_the_memory_by_more_than_a_tenth_is_void(factor: float, void: bool) -> None:
    asked = subject(subject_name())
    block = round(100 * limit.moved(asked) / factor)
    (row,) = rows(Sample(str(asked), 0, 0, 0, 100, (block, block, block), 0, None))
    assert row.fraction == pytest.approx(factor, rel=1e-3)
    assert row.void is void
    assert bool(fastest([row], asked.shape, asked.task)) is not void


@pytest.mark.parametrize("idle", [False, True])
def test_who_does_no_work_is_void(idle: bool) -> None:
    adapter = fake_device.adapter(idle=idle)
    bandwidth = worker.answer(adapter, MeasureBandwidth(2**24, "cuda"), {})
    found = sampled(adapter, "64x100")
    assert isinstance(bandwidth, Bandwidth)
    (row,) = rows(Sample(subject_name(), 0, 0, 0, found.number, found.blocks, 0, None), moved=bandwidth.copy)
    assert row.void is idle
    assert 0.9 < row.fraction < 1.1 or idle


# A device that is lost -----------------------------------------------------------------------------------------------


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BenchClient]:
    """A worker of the fake device, whose kernels assert in pos_weight."""
    monkeypatch.setitem(plugged.ADAPTERS, "fake_device", "fake_device:adapter")
    monkeypatch.setenv("STAND_IN", "pos_weight")
    plugged.plug_here(tmp_path / "others", monkeypatch)
    with BenchClient("fake_device", Side(sys.executable), cores()[0], None) as made:
        assert isinstance(made.greeting, Hello), made.greeting
        assert made.greeting.measured == ("cpu", "cuda")
        yield made


def test_an_assert_on_the_device_ends_the_worker(client: BenchClient) -> None:
    process = client._process
    assert process is not None
    client.send(Measure(subject_name(variant="pos_weight"), ("loss/mean",)))
    body = process.receive(60.0)
    assert isinstance(body, bytes)
    assert frames.decode(body, frames.decoder(Reply)) == Failed(f"RuntimeError: {fake_device.ASSERTED}")
    assert process._child.wait(timeout=20) == 0


def test_any_other_failure_does_not(client: BenchClient) -> None:
    process = client._process
    assert isinstance(client.ask(Measure("no/such/thing", ())), Failed)
    assert isinstance(client.ask(MeasureDrift()), Sampled)
    assert client._process is process


def test_the_next_request_has_a_new_worker(client: BenchClient) -> None:
    process = client._process
    reply = client.ask(Measure(subject_name(variant="pos_weight"), ("loss/mean",)))
    assert reply == Failed(f"RuntimeError: {fake_device.ASSERTED}")
    assert isinstance(client.ask(Measure(subject_name(), ("loss/mean",))), Sampled)
    assert client._process is not process


# What each framework brings ------------------------------------------------------------------------------------------


def test_torch_is_measured_by_its_events_and_counters() -> None:
    gpu = Gpu(cache=12_345)
    device = torch_.measured(Torch(gpu))["cuda"]
    assert device.clock == EventClock(gpu)
    assert device.cache == 12_345
    kept = Tensor(gpu, 1_000_000)
    Tensor(gpu, 5_000_000)  # a higher use, before
    assert device.peak(lambda: [Tensor(gpu, 300), Tensor(gpu, 200), Tensor(gpu, 50)][0]) == 550
    assert gpu.log == ["synchronize", "reset memory"]
    assert gpu.allocated == kept.nbytes


def test_a_copy_moves_what_it_says() -> None:
    gpu = Gpu()
    copy = torch_.measured(Torch(gpu))["cuda"].copy(80_000)
    assert gpu.allocated == 80_000
    copy()
    assert gpu.log == ["cold copy", "synchronize"]
    assert gpu.now == GIVE_NS + 80_000 + WAKE_NS


class JaxPlace:
    """A device of JAX, whose highest use cannot be set back."""

    def __init__(self) -> None:
        self.gpu = Gpu()

    def memory_stats(self) -> dict[str, int]:
        return {"bytes_in_use": self.gpu.allocated, "peak_bytes_in_use": self.gpu.peak}


def jax_device(place: Any) -> Device:
    gpu = place.gpu

    def made(n: int, dtype: Any) -> Tensor:
        return Tensor(gpu, 4 * n)

    def negative(x: Tensor) -> Tensor:
        return Tensor(gpu, x.nbytes).copy_(x)

    def wait(x: Any) -> Any:
        gpu.synchronize()
        return x

    fake = SimpleNamespace(
        default_backend=lambda: "gpu",
        devices=lambda: [place],
        jit=lambda function: function,
        numpy=SimpleNamespace(negative=negative, zeros=made, ones=made),
        block_until_ready=wait,
    )
    return jax_.measured(fake)["cuda"]


def test_jax_tells_the_peak_of_a_call_although_a_call_before_needed_more() -> None:
    place = JaxPlace()
    device = jax_device(place)
    kept = Tensor(place.gpu, 1_000)
    Tensor(place.gpu, 5_000_000)
    assert device.peak(lambda: [Tensor(place.gpu, 300), Tensor(place.gpu, 200)]) == 500
    assert device.peak(lambda: None) is None
    assert place.gpu.allocated == kept.nbytes


def test_jax_may_not_tell() -> None:
    silent = SimpleNamespace(gpu=Gpu(), memory_stats=lambda: None)
    assert jax_device(silent).peak(lambda: None) is None


def test_jax_is_waited_for_by_a_call_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    place = JaxPlace()
    monkeypatch.setattr(devices, "perf_counter_ns", place.gpu.clock)
    device = jax_device(place)
    copy = device.copy(8 * WORK)
    place.gpu.log.clear()
    assert device.clock([copy], 4) >= 4 * 8 * WORK
    assert place.gpu.log[:3] == ["cold copy", "synchronize", "clock"]
    assert place.gpu.log[3:] == ["cold copy", *["warm copy"] * 3, "synchronize", "clock"]


def test_tensorflow_waits_for_all_devices_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu()
    monkeypatch.setattr(devices, "perf_counter_ns", gpu.clock)

    def tensor(shape: list[int], dtype: str) -> Tensor:
        return Tensor(gpu, 4 * shape[0])

    fake = SimpleNamespace(
        config=SimpleNamespace(
            list_physical_devices=lambda kind: ["one"],
            experimental=SimpleNamespace(
                reset_memory_stats=lambda name: gpu.reset_peak_memory_stats(),
                get_memory_info=lambda name: {"current": gpu.allocated, "peak": gpu.peak},
            ),
        ),
        test=SimpleNamespace(experimental=SimpleNamespace(sync_devices=gpu.synchronize)),
        device=lambda name: pytest.MonkeyPatch.context(),
        float32="float32",
        ones=tensor,
        negative=lambda x: Tensor(gpu, x.nbytes).copy_(x),
    )
    device = tensorflow_.measured(fake)["gpu"]
    Tensor(gpu, 5_000_000)
    assert device.peak(lambda: [Tensor(gpu, 300), Tensor(gpu, 200)]) == 500
    copy = device.copy(8 * WORK)
    gpu.log.clear()
    assert device.clock([copy], 3) >= 3 * 8 * WORK
    assert gpu.log == ["synchronize", "clock", "cold copy", *["warm copy"] * 2, "synchronize", "clock"]


def test_tensorflow_1_waits_in_every_call() -> None:
    fake = SimpleNamespace(config=SimpleNamespace(list_physical_devices=lambda kind: ["one"]))
    device = tensorflow_v1_.measured(fake, lambda graph: None)["gpu"]
    made: list[str] = []
    assert device.clock([Prepared(lambda: made.append("a")), Prepared(lambda: made.append("b"))], 3) > 0
    assert made == ["a", "b", "a"]
    assert device.peak(lambda: None) is None


def test_where_there_is_no_gpu_nothing_is_measured() -> None:
    none = SimpleNamespace(list_physical_devices=lambda kind: [])
    assert torch_.measured(SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False))) == {}
    assert jax_.measured(SimpleNamespace(default_backend=lambda: "cpu")) == {}
    assert tensorflow_.measured(SimpleNamespace(config=none)) == {}
    assert tensorflow_v1_.measured(SimpleNamespace(config=none), lambda graph: None) == {}


# What a GPU says of itself -------------------------------------------------------------------------------------------

ANSWERS = "NVIDIA H100, 550.54, 1980 MHz, 2619 MHz, 0x0000000000000000\n" * 2


@pytest.mark.parametrize("known", machine.REASONS)
def test_clocks_are_on_record(known: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\ncase "$1" in *{known}) printf "{ANSWERS}";; *) echo no such field; exit 2;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == {
        "gpu.name": "NVIDIA H100; NVIDIA H100",
        "gpu.driver_version": "550.54; 550.54",
        "gpu.clocks.sm": "1980 MHz; 1980 MHz",
        "gpu.clocks.mem": "2619 MHz; 2619 MHz",
        "gpu.throttled": "0x0000000000000000; 0x0000000000000000",
    }


@pytest.mark.parametrize("words", ["exit 9", "echo NVIDIA-SMI has failed", "exit 0"])
def test_a_driver_in_trouble_says_nothing(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{words}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == {}


def test_without_nvidia_smi_there_is_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == {}


def test_a_subject_that_is_kept_is_prepared_once() -> None:
    gpu = Gpu()
    adapter = fake_device.adapter(gpu)
    prepared: list[object] = []
    counting = dataclasses.replace(adapter, prepare=lambda *a: prepared.append(a) or adapter.prepare(*a))
    kept: worker.Kept = {}
    request = Measure(subject_name(), ("loss/mean",), keep=True)
    for keep in (True, True, False):
        assert isinstance(worker.answer(counting, msgspec.structs.replace(request, keep=keep), kept), Sampled)
    once = len(prepared)
    assert not kept
    worker.answer(counting, request, kept)
    assert len(prepared) == 2 * once
