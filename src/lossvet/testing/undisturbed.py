"""The caller's process as a loss is asked in it: left afterwards as it was, and in the way of no answer meanwhile.

Frameworks are looked at where they have been imported, and never imported for it.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np


@contextmanager
def undisturbed() -> Iterator[None]:
    """Random states are put back at the end; settings that turn NaN or a warning into an exception rest until then.

    Those are NumPy's error handling, Python's warning filters, JAX's debug_nans and debug_infs, PyTorch's anomaly
    detection and its inference mode, in which there are no gradients. PyTorch computes in one thread until then: on
    tensors as small as these, several wait for each other, which takes a thousand times as long where other processes
    (those of pytest -n, say) have the processors. Default dtypes, x64, flags and the environment are not touched.
    """
    with ExitStack() as stack:
        _keep_random_states(stack)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(np.errstate(all="ignore"))
        if (jax := sys.modules.get("jax")) is not None:
            for name in ("debug_nans", "debug_infs"):
                if getattr(jax.config, f"jax_{name}", False):
                    stack.enter_context(getattr(jax, name)(False))
        if (torch := sys.modules.get("torch")) is not None:
            if (threads := torch.get_num_threads()) != 1:
                stack.callback(torch.set_num_threads, threads)
                torch.set_num_threads(1)
            if torch.is_anomaly_enabled():
                stack.enter_context(torch.autograd.set_detect_anomaly(False))
            if torch.is_inference_mode_enabled():
                stack.enter_context(torch.inference_mode(False))
        yield


def _keep_random_states(stack: ExitStack) -> None:
    stack.callback(random.setstate, random.getstate())
    stack.callback(np.random.set_state, np.random.get_state())
    if (torch := sys.modules.get("torch")) is not None:
        stack.callback(torch.set_rng_state, torch.get_rng_state())
    if (generator := _tensorflow_generator()) is not None:
        stack.callback(generator.setstate, generator.getstate())
        generator.seed(0)  # a kernel is kept by its seed, and goes on counting: none is made here that is the caller's


def _tensorflow_generator() -> Any:
    """What gives TensorFlow's random operations their seeds; None where it has none yet: it is made at first use."""
    module = sys.modules.get("tensorflow.python.eager.context")
    context = None if module is None else module.context()
    return getattr(context, "_rng", None)
