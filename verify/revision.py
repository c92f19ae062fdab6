"""A loss as it is at another git revision: its files in a temporary folder, which is removed afterwards."""

from __future__ import annotations

import importlib.machinery
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lossvet.verify.options import Options


class RevisionError(ValueError):
    """The revision, the repository or the file in it is not there; the message says which."""


@dataclass(frozen=True)
class Base:
    """Where the loss is at that revision: its spec, and the folders to put first on sys.path for it."""

    spec: str
    search: tuple[str, ...] = ()

    def searched(self, options: Options) -> Options:
        source = msgspec.structs.replace(options.source, search=self.search)
        return msgspec.structs.replace(options, source=source)


def named(spec: str, revision: str) -> str:
    """What the loss at a revision is called on screens."""
    return f"{spec} at {revision}"


@contextmanager
def at(spec: str, revision: str) -> Iterator[Base]:
    """The loss at that revision, for as long as the context lasts. Raises RevisionError."""
    framework, _, place = spec.partition(":")
    path, two, name = place.rpartition("::")
    module, colon, _ = place.rpartition(":")
    if framework in ("variant", "recipe") or spec.endswith(".toml") or not (two or colon):
        raise RevisionError(f"--base compares a loss in a file or a module with itself; {spec!r} is neither")
    file = Path(path).resolve() if two else _package(module)
    root = _root(file if file.is_dir() else file.parent, spec)
    with tempfile.TemporaryDirectory(prefix="lossvet-base-") as folder:
        _extract(root, revision, Path(folder))
        there = Path(folder) / file.relative_to(root)
        if not there.exists():
            inside = file.relative_to(root).as_posix()
            raise RevisionError(
                f"{inside} does not exist at {revision}; name a revision that has it, or give OLD and NEW"
            )
        if two:
            yield Base(f"{framework}:{there}::{name}", (str(there.parent), *_folders(root, Path(folder))))
        else:
            yield Base(spec, (str(there.parent), *_folders(root, Path(folder))))


def _folders(root: Path, folder: Path) -> tuple[str, ...]:
    """Where imports of the loss are found: the working folder and its src/, as they are at the revision."""
    here = Path.cwd().resolve()
    inside = folder / here.relative_to(root) if here.is_relative_to(root) else folder
    return tuple(str(path) for path in (inside, inside / "src") if path.is_dir())


def _package(module: str) -> Path:
    """The folder or file of the first part of a module's name, looked for without importing anything."""
    top = module.partition(".")[0]
    here = Path.cwd().resolve()
    found = importlib.machinery.PathFinder.find_spec(top, [str(here), str(here / "src")])
    found = found or importlib.machinery.PathFinder.find_spec(top)
    if found is None:
        raise RevisionError(f"there is no module {top!r}, neither in {here} nor among the installed packages")
    if found.submodule_search_locations:
        return Path(next(iter(found.submodule_search_locations))).resolve()
    return Path(found.origin or "").resolve()


def _root(folder: Path, spec: str) -> Path:
    if not folder.is_dir():
        raise RevisionError(f"{spec}: {folder} does not exist")
    try:
        done = _git(folder, "rev-parse", "--show-toplevel")
    except FileNotFoundError as error:
        raise RevisionError("--base needs git, which was not found; give OLD and NEW instead") from error
    if done.returncode:
        raise RevisionError(f"--base needs a git repository; {folder} is not in one")
    return Path(done.stdout.decode(errors="surrogateescape").rstrip("\n")).resolve()


def _extract(root: Path, revision: str, folder: Path) -> None:
    """The tree of the revision, without touching the repository: its index, work tree and branches stay as they are."""
    known = _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if known.returncode:
        raise RevisionError(f"no revision {revision!r} in {root}; `git log --oneline` lists the revisions")
    commit = known.stdout.decode().strip()
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        done = _git(root, "archive", "--format=tar", f"--output={archive.name}", commit)
        if done.returncode:
            raise RevisionError(f"git could not extract {revision}: {done.stderr.decode(errors='replace').strip()}")
        with tarfile.open(archive.name) as tar:
            tar.extractall(folder, filter="data")


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
