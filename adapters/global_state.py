"""Global state that code can change unnoticed: seeds, threads, flags and defaults of this process, as text by name.

Only frameworks that are already imported are inspected.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

SEEDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "the seed of random": ("random", lambda m: m.getstate()),
    "the seed of numpy.random": ("numpy", lambda m: m.random.get_state()),
    "the seed of torch": ("torch", lambda m: m.get_rng_state().tolist()),
    "the seed of TensorFlow": ("tensorflow.python.eager.context", lambda m: m.global_seed()),
}
SETTINGS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "the working directory": ("os", lambda m: m.getcwd()),
    "numpy.seterr": ("numpy", lambda m: sorted(m.geterr().items())),
    "torch's number of threads": ("torch", lambda m: m.get_num_threads()),
    "torch's default dtype": ("torch", lambda m: m.get_default_dtype()),
    "torch's default device": ("torch", lambda m: m.get_default_device()),
    "torch's gradient mode": ("torch", lambda m: m.is_grad_enabled()),
    "torch's deterministic algorithms": ("torch", lambda m: m.are_deterministic_algorithms_enabled()),
    "torch's float32 matmul precision": ("torch", lambda m: m.get_float32_matmul_precision()),
    "torch's anomaly detection": ("torch", lambda m: m.is_anomaly_enabled()),
    "torch's flushing of denormal numbers": ("torch", lambda m: float(m.tensor(2.0**-140) * 1) == 0.0),
    "jax_enable_x64": ("jax", lambda m: m.config.jax_enable_x64),
    "jax_debug_nans": ("jax", lambda m: m.config.jax_debug_nans),
    "jax_disable_jit": ("jax", lambda m: m.config.jax_disable_jit),
    "jax_default_matmul_precision": ("jax", lambda m: m.config.jax_default_matmul_precision),
    "jax_platforms": ("jax", lambda m: m.config.jax_platforms),
    "TensorFlow's eager running of functions": (
        "tensorflow.python.eager.polymorphic_function.eager_function_run",
        lambda m: m.functions_run_eagerly(),
    ),
    "TensorFlow's threads": (
        "tensorflow.python.framework.config",
        lambda m: (m.get_intra_op_parallelism_threads(), m.get_inter_op_parallelism_threads()),
    ),
    "Keras' floatx": ("keras.src.backend.config", lambda m: m.floatx()),
    "Keras' dtype policy": ("keras.src.dtype_policies.dtype_policy", lambda m: m.dtype_policy().name),
}
"""By what they are called, the module that has them and how they are asked for."""


def snapshot() -> dict[str, str]:
    """All of it, by name. What cannot be had (another version's framework) is left out."""
    found = {name: _text(module, get) for name, (module, get) in SETTINGS.items()}
    found |= {
        name: hashlib.sha256(text.encode()).hexdigest()
        for name, (module, get) in SEEDS.items()
        if (text := _text(module, get))
    }
    found |= {f"the environment variable {name}": value for name, value in os.environ.items()}
    return {name: text for name, text in found.items() if text}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What is other than before, in words: "torch's number of threads from 1 to 4", "the seed of torch".

    What was not there before (a framework that has been imported since) counts for environment variables alone.
    """
    found = []
    for name, text in after.items():
        known, variable = before.get(name), name.startswith("the environment variable")
        if text == known or (known is None and not variable):
            continue
        found.append(name if name in SEEDS or variable else f"{name} from {known} to {text}")
    return found


def _text(module: str, get: Callable[[Any], Any]) -> str:
    if module not in sys.modules:
        return ""
    try:
        return str(get(sys.modules[module]))
    except Exception:  # another version has it elsewhere
        return ""


def seeds(names: list[str]) -> bool:
    """Whether these changes are of the states of random number generators."""
    return bool(names) and all(name in SEEDS for name in names)
