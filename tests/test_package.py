"""The wheel is whole: built, unpacked in an empty folder, and run there. A clone without links makes a hollow one."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has the wheel, unpacked, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_every_file_is_in_the_wheel(site: Path) -> None:
    """But for the published report, which belongs to the repository and not to the package."""
    for folder in ("reference", "adapters", "conformance", "benchmarks", "reports"):
        ours, theirs = ROOT / folder, site / "lossvet" / folder
        kinds = (".py", ".json", ".toml", ".txt", ".html", ".css")
        there = {p.relative_to(ours) for p in ours.rglob("*") if p.suffix in kinds}
        there = {path for path in there if path.parts[0] != "published"}
        packed = {p.relative_to(theirs) for p in theirs.rglob("*") if p.is_file()}
        assert there <= packed, f"the wheel lacks {sorted(map(str, there - packed))}"
    assert not (site / "lossvet" / "reports" / "published").exists()
    assert (site / "lossvet" / "py.typed").exists()


@pytest.mark.slow
def test_the_wheel_judges_in_an_empty_folder(site: Path, tmp_path: Path) -> None:
    where = run(site, tmp_path, "-c", "import lossvet; print(lossvet.__file__)").stdout
    assert where.startswith(str(site)), where
    program = "from lossvet.cli import main; main()"
    done = run(site, tmp_path, "-c", program, "run", "--only", "sparse", "--framework", "torch", "--dtype", "float32")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.sweep  # starts every framework; what runs the suite itself is a sweep as well
def test_the_suite_is_collected_from_the_wheel(site: Path, tmp_path: Path) -> None:
    arguments = ("-m", "pytest", "--pyargs", "lossvet.conformance", "-q", "--collect-only", "-p", "no:cacheprovider")
    done = run(site, tmp_path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_cell[pos_weight/native/" in done.stdout
