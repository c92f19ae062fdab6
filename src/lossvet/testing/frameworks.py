"""Which framework a function is of: what its module, its annotations and its code say, among those imported already."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from lossvet import adapters

MODULES = {"torch": "torch", "jax": "jax", "tensorflow": "tensorflow", "numpy": "numpy"}
"""By framework, the module that is in sys.modules where it has been imported; in the order in which they are tried."""
PACKAGES = {
    "torch": "torch",
    "torchvision": "torch",
    "jax": "jax",
    "jaxlib": "jax",
    "optax": "jax",
    "flax": "jax",
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "tf_keras": "tensorflow",
    "numpy": "numpy",
}
"""By top-level package, the framework of what it computes with."""
DEPTH = 3
"""How many functions deep the code of a loss is looked through: it may be a wrapper of a helper."""
OWN_PROCESS = "`lossvet verify` gives each side a process of its own"


def candidates(function: Callable[..., Any], said: str = "") -> tuple[str, ...]:
    """The frameworks that the function may be of, the likeliest first; `said`, or one alone where nothing else fits.

    Raises ValueError for a framework that is not imported, and for what cannot be asked in the caller's process.
    """
    if said:
        _usable(said)
        return (said,)
    imported = [name for name, module in MODULES.items() if module in sys.modules]
    spoken = [name for name in dict.fromkeys(_evidence(function)) if name in imported]
    strong = [name for name in spoken if name != "numpy"]
    if len(strong) == 1:
        return (strong[0],)
    return tuple(dict.fromkeys((*spoken, *imported)))


def refuse_unaskable(function: Callable[..., Any], framework: str) -> None:
    """Raises ValueError for a loss of TF1's graphs, and for a Keras that computes with another framework."""
    name = getattr(function, "__name__", type(function).__name__)
    tensorflow = sys.modules.get("tensorflow")
    graph = tensorflow is not None and (not tensorflow.executing_eagerly() or any(map(_of_graph, _reached(function))))
    if framework == "tensorflow" and graph:
        raise ValueError(f"{name} is a loss of a TF1 graph, which is not asked in this process: {OWN_PROCESS}")
    keras = sys.modules.get("keras")
    if keras is not None and any(_package(t) == "keras" for t in (function, type(function), *_reached(function))):
        backend = str(keras.backend.backend())
        if backend != "tensorflow":
            raise ValueError(
                f"{name} is of a Keras that computes with {backend} here, and Keras is asked over TensorFlow alone: "
                f"{OWN_PROCESS}"
            )


def is_graph_error(words: str) -> bool:
    """Whether an exception's words are those of a TF1 graph where TensorFlow runs eagerly."""
    return "compatible with eager execution" in words or "not available when eager execution is enabled" in words


def graph_refusal(name: str) -> ValueError:
    return ValueError(f"{name} builds a TF1 graph or session, which is not asked in this process: {OWN_PROCESS}")


def _usable(said: str) -> None:
    """Raises ValueError for a framework that there is not, or that cannot be asked in this process."""
    if said == "tensorflow_v1":
        raise ValueError(f"TF1 sessions need a process that has never run TensorFlow eagerly: {OWN_PROCESS}")
    known = sorted({*MODULES, *adapters.names()} - {"tensorflow_v1"})
    if said not in known:
        raise ValueError(f"no framework is called {said!r}; there are: {', '.join(known)}")


def _evidence(function: Callable[..., Any]) -> Iterator[str]:
    """The frameworks that are spoken of, the surest first: where it is defined, annotations, what its code names."""
    for thing in (function, *getattr(type(function), "__mro__", ())):
        if found := PACKAGES.get(_package(thing)):
            yield found
    for annotation in _annotations(function):
        root = annotation.partition(".")[0] if isinstance(annotation, str) else _package(annotation)
        root = {"tf": "tensorflow", "jnp": "jax", "np": "numpy", "Tensor": ""}.get(root, root)
        if found := PACKAGES.get(root):
            yield found
    for thing in _reached(function):
        if found := PACKAGES.get(_package(thing)):
            yield found


def _annotations(function: Callable[..., Any]) -> Iterable[Any]:
    try:
        return [p.annotation for p in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return []


def _package(thing: Any) -> str:
    """The top-level package of a module, class, function or object; empty where it has none."""
    name = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    return name.partition(".")[0] if isinstance(name, str) else ""


def _reached(function: Any, depth: int = DEPTH, seen: set[int] | None = None) -> Iterator[Any]:
    """What the code of a function names among its globals or closes over, and that of the functions among these."""
    seen = set() if seen is None else seen
    if id(function) in seen:
        return
    seen.add(id(function))
    for plain in _functions(function):
        closed = [cell.cell_contents for cell in plain.__closure__ or () if _filled(cell)]
        for thing in (*_named(plain), *closed):
            yield thing
            own = isinstance(thing, FunctionType | MethodType | functools.partial | type)
            if depth > 1 and own and _package(thing) not in PACKAGES:
                yield from _reached(thing, depth - 1, seen)


def _functions(thing: Any) -> list[FunctionType]:
    """The Python functions that run when it is called."""
    if isinstance(thing, functools.partial):
        return _functions(thing.func)
    if isinstance(thing, MethodType):
        return _functions(thing.__func__)
    if isinstance(thing, FunctionType):
        wrapped = getattr(thing, "__wrapped__", None)
        return [thing, *(_functions(wrapped) if wrapped is not None else [])]
    if (wrapped := getattr(thing, "__wrapped__", getattr(thing, "python_function", None))) is not None:
        return _functions(wrapped)  # of jax.jit, tf.function
    kind = thing if isinstance(thing, type) else type(thing)
    if _package(kind) in (*PACKAGES, "builtins"):
        return []
    methods = [kind.__dict__.get(name) for name in ("__init__", "__call__", "forward", "call")]
    return [method for method in methods if isinstance(method, FunctionType)]


def _named(function: FunctionType) -> Iterator[Any]:
    """The values of the globals that the code names, nested functions included."""
    for name in dict.fromkeys(_names(function.__code__)):
        if name in function.__globals__:
            yield function.__globals__[name]
        elif name in sys.modules:  # imported within the function
            yield sys.modules[name]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # asked for what it raises
    except ValueError:
        return False
    return True


def _of_graph(thing: Any) -> bool:
    """Whether this is a tensor of a TF1 graph, or a session; an eager tensor has no graph."""
    if _package(type(thing)) != "tensorflow":
        return False
    session = type(thing).__name__ in ("Session", "InteractiveSession")
    try:
        return session or (hasattr(thing, "op") and hasattr(thing, "graph"))
    except Exception:  # of an eager tensor, in some versions no AttributeError
        return False
