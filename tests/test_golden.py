"""The golden files: what is in them, that it is what the proof gives, and that no change to them goes unseen."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from lossvet.reference import variants, vectors
from lossvet.reference.hazards import HAZARDS
from lossvet.reference.types import Array, array_params, kept, leaves, output_names
from lossvet.reference.vectors import FOLDER, Golden, GoldenError, decode, digest, encode

SEED = 20261121
FLIPS = 1000
SIZE_LIMIT = 5_000_000
NARROW = {8: np.float16, 24: np.float32, 53: np.float64}
"""By bits: the dtype whose range holds all such inputs."""

needs_flint = pytest.mark.skipif(find_spec("flint") is None, reason="needs the extra `certify`")


def every() -> list[tuple[str, Golden]]:
    return [(name, golden) for name in variants.names() for golden in vectors.load(name)]


# What is in them -----------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_every_file_is_of_the_schema() -> None:
    schema = json.loads((FOLDER / "schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for name in variants.names():
        found = [f"{e.json_path}: {e.message[:200]}" for e in validator.iter_errors(_document(name))]
        assert not found, f"{name}: {found[:5]}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 1),
        (("extra",), 1),
        (("cases", 0, "extra"), 1),
        (("cases", 0, "bits"), 16),
        (("cases", 0, "id"), "Hard Case"),
        (("cases", 0, "logits", 0, 0), 1.5),
        (("cases", 0, "logits", 0, 0), "1.5"),
        (("cases", 0, "logits", 0, 0), "nan"),
        (("cases", 0, "logits", 0, 0), {"times": 31, "value": "0x1.0p+0"}),
        (("cases", 0, "logits", 0, 0), {"times": 32}),
        (("cases", 0, "params", "weight"), ["0x1.0p+0"]),
        (("cases", 0, "undefined"), "perhaps"),
        (("cases", 0, "outputs", "loss/median"), "0x1.0p+0"),
        (("cases", 0, "outputs", "gradient/sum/bias"), "0x1.0p+0"),
        (("cases",), []),
    ],
    ids=str,
)
def test_the_schema_refuses(path: tuple[Any, ...], value: Any) -> None:
    document = _document("sparse")
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    schema = json.loads((FOLDER / "schema.json").read_text())
    assert not Draft202012Validator(schema).is_valid(document)


def test_there_are_files_for_the_variants_and_no_others() -> None:
    found = {path.name for path in FOLDER.iterdir()}
    assert found == {"schema.json", "manifest.json", *(f"{name}.json" for name in variants.names())}


def test_the_manifest_has_the_digest_of_every_other_file() -> None:
    others = [path for path in FOLDER.iterdir() if path.name != "manifest.json"]
    assert vectors.manifest() == {path.name: digest(path.read_bytes()) for path in others}


def test_at_least_five_hundred_cases_in_less_than_five_megabytes(capsys: pytest.CaptureFixture[str]) -> None:
    cases, size = len(every()), sum(path.stat().st_size for path in FOLDER.iterdir())
    with capsys.disabled():
        print(f"\ngolden: {cases} cases, {size / 1e6:.2f} MB")
    assert cases >= 500
    assert size < SIZE_LIMIT


def test_ids_are_unique_and_begin_with_their_variant() -> None:
    ids = Counter(golden.case.id for _, golden in every())
    assert max(ids.values()) == 1, ids.most_common(3)
    assert all(golden.case.id.startswith(f"{name}/") for name, golden in every())


def test_the_worked_examples_are_cases_by_name() -> None:
    found = {golden.case.id.partition("/")[2] for _, golden in every()}
    seeds = {name for name in found if name.startswith("seed")}
    assert len(seeds) >= 8, seeds


@pytest.mark.parametrize("name", variants.names())
def test_every_variant_has_cases_of_every_precision(name: str) -> None:
    bits = Counter(golden.case.bits for golden in vectors.load(name))
    assert set(bits) == {8, 24, 53}
    assert bits[24] >= 2


@pytest.mark.parametrize("name", variants.names())
def test_cases_are_what_the_tables_say(name: str) -> None:
    """The inputs in the file, read back, are those that the variant makes."""
    variant, stored = variants.load(name), vectors.load(name)
    made = tuple(variant.cases())
    assert [golden.case.id for golden in stored] == [case.id for case in made]
    for golden, case in zip(stored, made, strict=True):
        found = golden.case
        assert (found.bits, found.note, found.hazards, found.undefined) == (
            case.bits, case.note, case.hazards, case.undefined
        ), case.id  # fmt: skip
        ours, theirs = (
            {**leaves(variant, c), "cotangent": c.cotangent, "direction": c.direction, "labels": c.labels}
            for c in (found, case)
        )
        assert ours.keys() == theirs.keys()
        for part, value in ours.items():
            assert value.dtype == theirs[part].dtype
            assert value.shape == theirs[part].shape, f"{case.id} {part}"
            assert value.tobytes() == theirs[part].tobytes(), f"{case.id} {part}"  # -0 too


@pytest.mark.parametrize("name", variants.names())
def test_inputs_have_as_many_bits_as_the_case_says(name: str) -> None:
    for golden in vectors.load(name):
        case = golden.case
        inputs = {**leaves(variants.load(name), case), "cotangent": case.cotangent}
        inputs["logits"] = case.logits[kept(variants.load(name).family, case)]  # the others may be NaN
        inputs["label_smoothing"] = np.array(getattr(case.params, "label_smoothing", 0.0))
        for part, value in inputs.items():
            assert fits(value, case.bits), f"{case.id} {part} does not fit in {case.bits} bits: {value}"
        assert fits(case.direction, 8), case.id
        if case.bits > 8:
            narrower = 8 if case.bits == 24 else 24
            full = [part for part, value in inputs.items() if not fits(value, narrower)]
            assert full, f"{case.id} says {case.bits} bits, and {narrower} hold all its inputs"


def fits(values: Array, bits: int) -> bool:
    """Whether every number has so few bits, and is in the range of all dtypes that have them."""
    with np.errstate(over="ignore"):
        in_range = np.isinf(values) | np.isfinite(values.astype(NARROW[bits]))
    mantissas, _ = np.frexp(np.where(np.isfinite(values), values, 0.0))
    return bool(in_range.all() and (mantissas * 2.0**bits % 1.0 == 0).all())


def test_fits_can_say_no() -> None:
    assert fits(np.array([257.0 / 256, -np.inf]), 24)
    assert not fits(np.array([257.0 / 256]), 8)
    assert not fits(np.array([65536.0 * 2]), 8)
    assert not fits(np.array([0.1]), 24)


@pytest.mark.parametrize("name", variants.names())
def test_outputs_are_complete_and_hazards_are_known(name: str) -> None:
    variant = variants.load(name)
    for golden in vectors.load(name):
        assert tuple(golden.outputs) == output_names(variant, golden.case)
        assert set(golden.case.hazards) <= HAZARDS.keys()
        zeros = [o for o, value in golden.outputs.items() if (np.signbit(value) & (value == 0)).any()]
        assert not zeros, f"{golden.case.id}: -0.0 in {zeros}"


# How they are written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", variants.names())
def test_encoding_what_was_decoded_gives_the_same_file(name: str) -> None:
    content = (FOLDER / f"{name}.json").read_bytes()
    assert encode(variants.load(name), decode(variants.load(name), content)) == content


def test_decoding_what_was_encoded_gives_the_same_numbers() -> None:
    for name, golden in every():
        variant = variants.load(name)
        (again,) = decode(variant, encode(variant, (golden,)))
        assert vars(again.case).keys() == vars(golden.case).keys()
        for part, value in array_params(golden.case.params).items():
            assert array_params(again.case.params)[part].tobytes() == value.tobytes()
        for output, value in golden.outputs.items():
            assert np.array_equal(again.outputs[output], value, equal_nan=True), f"{golden.case.id} {output}"


def test_equal_numbers_in_a_row_are_written_once() -> None:
    (wide,) = (golden for golden in vectors.load("sparse") if golden.case.logits.shape[1] > 1000)
    text = encode(variants.load("sparse"), (wide,)).decode()
    assert '"logits": [["0x1.0c00000000000p+4", {"times": 49999, "value": "0x0.0p+0"}]]' in text
    assert len(text) < 4000


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[]", b"{}", b'{"format": 1, "variant": "sparse", "cases": []}',
     b'{"format": 2, "variant": "softmax", "cases": []}', b'{"format": 2, "variant": "sparse", "cases": [{}]}'],
)  # fmt: skip
def test_what_cannot_be_read_is_a_golden_error(content: bytes) -> None:
    with pytest.raises(GoldenError, match="sparse"):
        decode(variants.load("sparse"), content)


def test_missing_files_are_golden_errors(tmp_path: Path) -> None:
    read = vectors.load.__wrapped__  # the cache keeps no failures, but it would keep this folder's files
    (tmp_path / "sparse.json").write_bytes(b"{}")
    with pytest.raises(GoldenError, match=r"manifest.json cannot be read .* lossvet golden"):
        read("sparse", tmp_path)
    (tmp_path / "manifest.json").write_bytes(b'{"sha256": {}}')
    with pytest.raises(GoldenError, match=r"softmax.json cannot be read .* lossvet golden"):
        read("softmax", tmp_path)
    with pytest.raises(GoldenError, match=r"sparse.json is not the file listed in manifest.json.* lossvet golden"):
        read("sparse", tmp_path)


# That they are what the proof gives ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proven() -> dict[str, bytes]:
    """Every file as `lossvet golden` would write it, proven once for all tests. This takes most of their time."""
    from lossvet.reference import freeze

    return freeze.freeze()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the golden files, to be spoilt."""
    return Path(shutil.copytree(FOLDER, tmp_path / "golden"))


EXCHANGEABLE = {
    "sparse": ("equal", "seven_classes"),
    "predicted_weight": ("ties", "at_zero"),
    "cost_realized": ("at_zero",),
    "weighted_logits": ("at_zero",),
    "softmax": ("soft_equal", "masked_two"),
    "dynamic_pos_weight": ("at_zero",),
}
"""Cases in which some classes have the same logits."""


@needs_flint
@pytest.mark.parametrize("name", EXCHANGEABLE)
def test_derivatives_of_exchangeable_classes_are_those_of_each(name: str) -> None:
    """Inputs that are the same for all classes too: there the derivatives of one stand for all of the others."""
    from lossvet.reference import certify

    def without(variant: Any, case: Any) -> Any:
        return np.arange(case.logits.shape[1])

    variant = variants.load(name)
    for golden in (g for g in vectors.load(name) if g.case.id.partition("/")[2] in EXCHANGEABLE[name]):
        case = replace(golden.case, direction=np.ones(golden.case.logits.shape))
        if "class_weight" in array_params(case.params):
            case = replace(case, params=replace(case.params, class_weight=np.full(case.logits.shape[1], 3.0)))
        found = certify.certify(variant, case)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(certify, "_exchangeable", without)
            one_by_one = certify.certify(variant, case)
        for output, value in one_by_one.items():
            assert found[output].tobytes() == value.tobytes(), f"{case.id} {output}"


@needs_flint
def test_some_classes_are_exchangeable_and_a_predicted_one_is_not() -> None:
    from lossvet.reference.certify import _exchangeable

    by_name = {g.case.id: g.case for name in ("predicted_weight", "cost_realized") for g in vectors.load(name)}
    case = by_name["predicted_weight/at_zero"]
    weights = replace(case.params, class_weight=np.array([2.0, 2.0, 3.0]))
    zeros = np.zeros((4, 3))
    same = replace(case, logits=zeros, labels=np.array([2, 2, 2, 2]), direction=zeros, params=weights)
    assert _exchangeable(variants.load("predicted_weight"), same).tolist() == [0, 1, 2]  # class 0 is the one predicted
    logits = np.array([[0.0, 0.0, 1.0]] * 4)
    assert _exchangeable(variants.load("predicted_weight"), replace(same, logits=logits)).tolist() == [0, 0, 2]
    costs = by_name["cost_realized/at_zero"]
    assert _exchangeable(variants.load("cost_realized"), costs).tolist() == [0, 1, 2]


@needs_flint
def test_what_an_ignored_row_holds_changes_no_proof_and_what_a_kept_row_holds_does() -> None:
    from lossvet.reference.certify import certify

    variant = variants.load("sparse")
    (case,) = (g.case for g in vectors.load("sparse") if g.case.id == "sparse/ignored_undefined")
    proven = certify(variant, case)
    for held in (np.nan, np.inf, -np.inf, 1e300):
        logits = case.logits.copy()
        logits[1:] = held
        again = certify(variant, replace(case, logits=logits))
        assert all(again[name].tobytes() == value.tobytes() for name, value in proven.items()), held
    alone = certify(
        variant,
        replace(
            case, logits=case.logits[:1], labels=case.labels[:1], cotangent=case.cotangent[:1],
            direction=case.direction[:1],
        ),
    )  # fmt: skip
    assert all(proven[f"loss/{r}"] == alone[f"loss/{r}"] for r in ("sum", "mean"))
    assert proven["gradient/sum/logits"][:1].tobytes() == alone["gradient/sum/logits"].tobytes()
    assert not proven["gradient/sum/logits"][1:].any()
    logits = case.logits.copy()
    logits[0, 0] += 1
    other = certify(variant, replace(case, logits=logits))
    assert other["loss/sum"] != proven["loss/sum"]


@pytest.mark.sweep
@needs_flint
def test_the_files_are_what_the_proof_gives(proven: dict[str, bytes]) -> None:
    from lossvet.reference import freeze

    assert freeze.differences(proven) == []
    assert proven == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


@pytest.mark.sweep
@needs_flint
def test_any_flipped_bit_is_found(proven: dict[str, bytes], folder: Path) -> None:
    """A thousand at random, in all files in turn: those of the manifest and the schema too."""
    from lossvet.reference import freeze

    assert freeze.differences(proven, folder) == []
    draw = random.Random(SEED)
    names = sorted(path.name for path in folder.iterdir())
    seen, caught = [], 0
    for i in range(FLIPS):
        path = folder / names[i % len(names)]
        content = path.read_bytes()
        bit = draw.randrange(8 * len(content))
        path.write_bytes(flipped(content, bit))
        where = f"seed {SEED}, flip {i}: bit {bit} of {path.name}"
        assert freeze.differences(proven, folder), f"{where} goes unseen"
        if path.name not in ("schema.json", "manifest.json"):
            with pytest.raises(GoldenError, match=r"is not the file listed in manifest\.json"):
                vectors.load.__wrapped__(path.stem, folder)
            caught += 1
        path.write_bytes(content)
        seen.append(path.name)
    assert set(seen) == {path.name for path in FOLDER.iterdir()}
    assert caught > FLIPS / 2
    assert freeze.differences(proven, folder) == []


@pytest.mark.sweep
@needs_flint
def test_a_flipped_bit_with_a_matching_manifest_is_found(proven: dict[str, bytes], folder: Path) -> None:
    """As somebody would have it who edits a number by hand and mends the digest."""
    from lossvet.reference import freeze

    draw = random.Random(SEED + 1)
    content = (folder / "sparse.json").read_bytes()
    for _ in range(20):
        bit = draw.randrange(8 * len(content))
        spoilt = flipped(content, bit)
        (folder / "sparse.json").write_bytes(spoilt)
        digests = {**vectors.manifest(FOLDER), "sparse.json": digest(spoilt)}
        (folder / "manifest.json").write_text(json.dumps({"sha256": digests}, indent=2) + "\n")
        found = freeze.differences(proven, folder)
        assert any("sparse.json" in sentence for sentence in found), f"seed {SEED + 1}, bit {bit}: {found}"


@pytest.mark.sweep
@needs_flint
def test_an_extra_a_missing_and_a_shortened_file_are_found(proven: dict[str, bytes], folder: Path) -> None:
    from lossvet.reference import freeze

    (folder / "another.json").write_bytes(b"{}")
    assert any("another.json" in sentence for sentence in freeze.differences(proven, folder))
    (folder / "another.json").unlink()
    content = (folder / "sparse.json").read_bytes()
    for shortened in (content[:-1], content + b"\n", b""):
        (folder / "sparse.json").write_bytes(shortened)
        assert any("sparse.json" in sentence for sentence in freeze.differences(proven, folder))
    for name in sorted(path.name for path in FOLDER.iterdir()):
        copy = (FOLDER / name).read_bytes()
        (folder / name).unlink()
        assert any(name in sentence for sentence in freeze.differences(proven, folder)), name
        (folder / name).write_bytes(copy)


@pytest.mark.sweep
@needs_flint
def test_writing_replaces_what_is_there(proven: dict[str, bytes], folder: Path) -> None:
    from lossvet.reference import freeze

    (folder / "stray.json").write_bytes(b"{}")
    (folder / "sparse.json").write_bytes(b"spoilt")
    freeze.write(proven, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == proven
    assert len(vectors.load.__wrapped__("sparse", folder)) == len(vectors.load("sparse"))


def flipped(content: bytes, bit: int) -> bytes:
    spoilt = bytearray(content)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


def _document(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())
