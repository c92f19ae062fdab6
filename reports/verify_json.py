"""The answer of verify and of identify as JSON, schema 1: `verify.schema.json` beside this file says all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from lossvet.verify.answer import Binding, Comparison, Counterexample, Difference, Effect, Identified
from lossvet.verify.contract import Contract
from lossvet.verify.hexes import encoded, encoded_inputs

SCHEMA = 1
SCHEMA_FILE = Path(__file__).with_name("verify.schema.json")


def render(found: Comparison) -> str:
    return _formatted(document(found))


def render_identified(found: Identified) -> str:
    return _formatted({"schema": SCHEMA, **side(found)})


def document(found: Comparison) -> dict[str, Any]:
    """Floats of counterexamples are hex strings; floats elsewhere are numbers, null where they are not finite."""
    return {
        "schema": SCHEMA,
        "verdict": found.verdict,
        "exit": found.exit_code,
        "source": side(found.source),
        "target": side(found.target),
        "differences": [_difference(d) for d in found.differences],
        "counterexample": _counterexample(found.counterexample),
        "parts_at": found.parts_at,
        "reason": found.reason,
        "effect": _effect(found.effect),
        "accepted": list(found.accepted),
        "probes": {
            "tried": found.tried,
            "fresh": found.fresh,
            "uninformative": found.uninformative,
            "largest": found.largest,
        },
        "warnings": list(found.warnings),
        "not_checked": list(found.not_checked),
        "replay": found.replay,
    }


def side(side: Identified) -> dict[str, Any]:
    return {
        "spec": side.spec,
        "framework": side.framework,
        "version": side.version,
        "status": side.status,
        "contract": None if side.contract is None else _contract(side.contract),
        "candidates": [_contract(contract) for contract in side.candidates],
        "binding": None if side.binding is None else _binding(side.binding),
        "probes": {
            "tried": side.tried,
            "explained": side.explained,
            "fresh": side.fresh,
            "largest": side.largest,
        },
        "learnt": list(side.learnt),
        "needed": side.needed,
        "reason": side.reason,
        "warnings": list(side.warnings),
        "not_checked": list(side.not_checked),
    }


def _contract(contract: Contract) -> dict[str, Any]:
    """`family` always; every other facet only where it departs, as in a contract file."""
    return {"family": contract.value("family"), **contract.record()}


def _binding(binding: Binding) -> dict[str, Any]:
    return {
        "call": binding.call,
        "roles": dict(binding.roles),
        "how": dict(binding.how),
        "labels": binding.labels,
        "unused": list(binding.unused),
        "layout": binding.layout,
        "classes": binding.classes,
        "domain": binding.domain,
        "dtype": binding.dtype,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "facet": difference.facet,
        "source": difference.source,
        "target": difference.target,
        "confirmed": difference.confirmed,
        "accepted": difference.accepted,
        "edge": difference.edge,
        "says": difference.says,
        "training": difference.training,
        "change": difference.change,
        "counterexample": _counterexample(difference.counterexample),
    }


def _counterexample(found: Counterexample | None) -> dict[str, Any] | None:
    if found is None:
        return None
    inputs = encoded_inputs(found.inputs)
    return {
        "logits": inputs.pop("logits", None),
        "labels": inputs.pop("labels", None),
        "params": inputs,
        "output": found.output,
        "source": encoded(found.source),
        "target": encoded(found.target),
        "source_error": found.source_error,
        "target_error": found.target_error,
    }


def _effect(effect: Effect | None) -> dict[str, Any] | None:
    if effect is None:
        return None
    return {
        "rows": effect.rows,
        "rows_touched": effect.rows_touched,
        "loss": list(effect.loss),
        "loss_change": effect.loss_change,
        "gradient_length": effect.gradient_length,
        "gradient_angle": effect.gradient_angle,
    }


def _formatted(found: dict[str, Any]) -> str:
    """msgspec writes null for a float that is not finite."""
    return msgspec.json.format(msgspec.json.encode(sendable(found)), indent=1).decode() + "\n"


def sendable(found: Any) -> Any:
    """The same with text that UTF-8 can hold: a path may have bytes that it cannot."""
    match found:
        case str():
            return found.encode("utf-8", "replace").decode()
        case dict():
            return {sendable(key): sendable(value) for key, value in found.items()}
        case list() | tuple():
            return [sendable(value) for value in found]
    return found
