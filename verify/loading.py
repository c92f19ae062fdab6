"""The function that a source names, in this process: a file by its path, a module by import.

A file is loaded as Python would load it: its folder comes first on sys.path; where the folder is a package, or the file
imports relatively, it is imported as a part of that package, which its relative imports need. Loaded code runs with the
rights of the user.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from lossvet.verify.sources import FileSource, FunctionSource, ModuleSource, SourceError, near


def load(source: FunctionSource, folder: str = ".") -> Callable[..., Any]:
    """The callable. Paths are looked for from `folder`, modules there and in its src/.

    Raises SourceError: kinds "file", "syntax", "import" (whatever it raised), "name", "not_callable".
    """
    match source:
        case FileSource(path=path):
            module, where = _from_file(Path(folder, path), path), path
        case ModuleSource(module=name):
            module, where = _from_module(name, folder), name
    found: Any = module
    for part in source.name.split("."):
        owner = found
        try:
            found = getattr(owner, part)
        except AttributeError:
            names = [n for n in dir(owner) if not n.startswith("__") and callable(getattr(owner, n, None))]
            of = where if owner is module else getattr(owner, "__name__", where)
            raise SourceError("name", f"{of} has no {part!r}{near(part, names)}") from None
    if not callable(found):
        raise SourceError("not_callable", f"{source.name} in {where} is {_a(found)}; expected a function or a class")
    called: Callable[..., Any] = found
    if inspect.isclass(owner) and inspect.isfunction(found):
        static = isinstance(inspect.getattr_static(owner, part), staticmethod)
        return called if static else _method(owner, part)
    return called


def _method(kind: type, name: str) -> Callable[..., Any]:
    """The method of an instance; where the class takes arguments, what makes one of them and hands out its method.

    Raises SourceError, kind "init", where a class without parameters cannot be made.
    """

    def make(*arguments: Any, **options: Any) -> Any:
        return getattr(kind(*arguments, **options), name)

    try:
        signature = inspect.signature(kind)
    except (TypeError, ValueError):
        signature = inspect.Signature()
    if any(p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in signature.parameters.values()):
        make.__name__, make.__signature__ = f"{kind.__name__}.{name}", signature  # type: ignore[attr-defined]
        return make
    try:
        made: Callable[..., Any] = make()
    except Exception as error:
        raise SourceError("init", f"{kind.__name__}() raises {type(error).__name__}: {error}") from error
    return made


def _from_file(path: Path, shown: str) -> ModuleType:
    """The module of a file. `shown` is how messages call it."""
    if not path.is_file():
        folder = path.parent
        if not folder.is_dir():
            raise SourceError("file", f"there is no file {shown}: its folder {folder} does not exist")
        raise SourceError("file", f"there is no file {shown}{near(path.name, (p.name for p in folder.glob('*.py')))}")
    path = path.resolve()
    tree = _parsed(path, shown)
    depth = max(_packages(path), _relative(tree))
    if depth == 0:
        sys.path.insert(0, str(path.parent))
        return _alone(path, shown)
    root = path.parents[depth]
    sys.path.insert(0, str(root))
    sys.path.insert(1, str(path.parent))
    name = ".".join((*path.relative_to(root).parent.parts, *([] if path.stem == "__init__" else [path.stem])))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        # An __init__.py above may want what is not installed, where the file itself does not.
        if _relative(tree) or (missing.name or "").split(".")[0] == name.split(".")[0]:
            raise _failed(missing, shown) from missing
        return _alone(path, shown)
    except (Exception, SystemExit) as error:
        raise _failed(error, shown) from error


def _alone(path: Path, shown: str) -> ModuleType:
    """The file as a module of no package, under its own name, or another where that is taken."""
    name = path.stem if path.stem not in sys.modules else f"_lossvet_loaded_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a file that ends in .py has a loader"
    assert spec.loader is not None, "a file that ends in .py has a loader"
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _failed(error, shown) from error
    return module


def _from_module(name: str, folder: str) -> ModuleType:
    here = Path(folder).resolve()
    roots = [root for root in (here, here / "src") if root.is_dir()]
    sys.path[:0] = map(str, roots)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is not None and (name == missing.name or name.startswith(f"{missing.name}.")):
            parent = sys.modules.get(missing.name.rpartition(".")[0])
            names = [] if parent is None else _modules(Path(p) for p in getattr(parent, "__path__", ()))
            names = names or (_modules(roots) if "." not in missing.name else [])
            hint = near(missing.name.rpartition(".")[2], names)
            where = f"in {', '.join(map(str, roots))} and the packages of {sys.executable}"
            raise SourceError("import", f"there is no module {missing.name}{hint}; looked for {where}") from missing
        raise _failed(missing, name) from missing
    except (Exception, SystemExit) as error:
        raise _failed(error, name) from error


def _modules(folders: Any) -> list[str]:
    return [p.stem for folder in folders for p in folder.glob("*") if p.suffix == ".py" or (p / "__init__.py").exists()]


def _parsed(path: Path, shown: str) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        raise _failed(error, shown) from error


def _packages(path: Path) -> int:
    """How many folders above the file are packages, one within another."""
    depth = 0
    while depth < len(path.parents) - 1 and (path.parents[depth] / "__init__.py").is_file():
        depth += 1
    return depth


def _relative(tree: ast.Module) -> int:
    """How many packages above it the file's relative imports need."""
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def _failed(error: BaseException, shown: str) -> SourceError:
    """The refusal for what importing raised."""
    match error:
        case SyntaxError():
            line = (error.text or "").strip()
            other = error.filename is not None and Path(error.filename).name != Path(shown).name
            where = f"{error.filename}, which {shown} imports" if other else shown
            return SourceError("syntax", f"{where}, line {error.lineno}: {error.msg}{': ' if line else ''}{line}")
        case SystemExit():
            return SourceError("exit", f"importing {shown} exits the interpreter ({exit_words(error)})")
        case ModuleNotFoundError():
            return SourceError("import", f"{shown} imports {error.name}, which {sys.executable} does not have")
        case MemoryError():
            return SourceError("memory", f"importing {shown} needs more memory than it is allowed")
    return SourceError("import", f"importing {shown} raised {type(error).__name__}{_at(error)}: {error}")


def exit_words(error: SystemExit) -> str:
    """ "exit code 3", as the interpreter would have ended."""
    code = error.code
    return f"exit code {code}" if isinstance(code, int) else "exit code 0" if code is None else f"exit code 1: {code}"


def _at(error: BaseException) -> str:
    """Where in code that is not ours it was raised: " at file.py:12"."""
    found, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and Path(file).name != "loading.py":
            found = f" at {Path(file).name}:{trace.tb_lineno}"
            break
        trace = trace.tb_next
    return found


def _a(thing: Any) -> str:
    words = repr(thing)
    return f"a {type(thing).__name__}" + (f" ({words})" if len(words) <= 40 else "")
