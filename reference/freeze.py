"""Making the golden files, and proving them again: what `lossvet golden` does. Needs the extra `certify`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from lossvet.reference import variants
from lossvet.reference.certify import certify
from lossvet.reference.vectors import FOLDER, Golden, GoldenError, digest, encode, manifest


def freeze(
    folder: Path = FOLDER, jobs: int | None = None, progress: Callable[[str, int], None] = lambda name, cases: None
) -> dict[str, bytes]:
    """The golden files as they ought to be, by file name, proven now. Nothing is written.

    `progress(name, cases)` is told of every variant that is done.
    """
    files = {"schema.json": (folder / "schema.json").read_bytes()}
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        for name, (count, content) in zip(variants.names(), pool.map(_prove, variants.names()), strict=True):
            files[f"{name}.json"] = content
            progress(name, count)
    digests = {name: digest(content) for name, content in sorted(files.items())}
    files["manifest.json"] = (json.dumps({"sha256": digests}, indent=2) + "\n").encode()
    return files


def _prove(name: str) -> tuple[int, bytes]:
    variant = variants.load(name)
    cases = tuple(variant.cases())
    return len(cases), encode(variant, tuple(Golden(case, certify(variant, case)) for case in cases))


def write(files: dict[str, bytes], folder: Path = FOLDER) -> None:
    """Replace the golden files, each in one step, and remove those that no variant has."""
    for name, content in files.items():
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as temporary:
            temporary.write(content)
        os.chmod(temporary.name, 0o644)
        os.replace(temporary.name, folder / name)
    for stray in sorted({path.name for path in folder.iterdir()} - files.keys()):
        (folder / stray).unlink()


def differences(files: dict[str, bytes], folder: Path = FOLDER) -> list[str]:
    """In a sentence each, how the files in the folder differ from these; empty where they are the same to the bit."""
    return [*_integrity(folder), *_stale(files, folder)]


def _integrity(folder: Path) -> Iterator[str]:
    try:
        digests = manifest(folder)
    except GoldenError as error:
        yield str(error)
        return
    present = {path.name for path in folder.iterdir()} - {"manifest.json"}
    for name in sorted(present - digests.keys()):
        yield f"{folder / name} is not in manifest.json: remove it"
    for name in sorted(digests.keys() - present):
        yield f"{folder / name} is missing"
    for name in sorted(digests.keys() & present):
        if digest((folder / name).read_bytes()) != digests[name]:
            yield f"{folder / name} does not have the sha256 in manifest.json"


def _stale(files: dict[str, bytes], folder: Path) -> Iterator[str]:
    for name, content in files.items():
        path = folder / name
        if path.exists() and path.read_bytes() != content:
            found, expected = path.read_bytes().splitlines(), content.splitlines()
            line = next((i for i, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), -1)
            where = line + 1 if line >= 0 else min(len(found), len(expected)) + 1
            yield f"{path}:{where} differs from the proof; check what has changed, then run: lossvet golden"
