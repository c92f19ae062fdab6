"""The caller's process while a loss is run in it: made not to affect results, and restored afterwards.

Frameworks are looked at where they have been imported, and never imported for it.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lossvet.testing.frameworks import present


@contextmanager
def undisturbed() -> Iterator[None]:
    """Random states are put back at the end; settings that turn NaN or a warning into an exception rest until then.

    Those are Python's warning filters, and what the frameworks that are imported name (`Presence.undisturbed`): NumPy's
    error handling, JAX's debug_nans and debug_infs, PyTorch's anomaly detection and its inference mode, in which there
    are no gradients. PyTorch computes in one thread until then. Default dtypes, x64, flags and the environment are not
    touched.
    """
    with ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for presence in present().values():
            if presence.imported is not None:
                presence.undisturbed(presence.imported, stack)
        yield
