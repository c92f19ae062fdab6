"""Where weights come from and how they are scaled before they are applied to a loss."""

from __future__ import annotations

from lossvet.verify.spelling import labels
from lossvet.verify.spelling.writer import Unspellable, Writer


def scaled(w: Writer, name: str) -> str:
    """An expression for weights as `weight_scale` has them, without a gradient where the contract has none."""
    if w.contract["gradient_weights"] != "exact" and name in w.roles:
        name = w.op("stop", x=name)
    match w.contract["weight_scale"]:
        case "raw":
            return name
        case "sum_to_one":
            return f"({name} / {w.op('sum', x=name)})"
        case "sum_to_classes":
            return f"({name} / {w.op('mean', x=name)})"
        case "softmaxed":
            return w.op("softmax", x=name, axis=-1)
        case "inverted":
            return f"(1 / {name})"
        case "squared":
            return f"({name} ** 2)"
        case "rooted":
            return w.op("sqrt", x=name)
        case other:
            raise Unspellable(f"weight_scale={other} cannot be written as code")


def of_classes(w: Writer) -> str:
    """The name of the weights [C] of classes."""
    if "weight_of_class" in [line.split(" = ")[0] for line in w.lines]:
        return "weight_of_class"
    c = w.contract
    match c["weights_from"]:
        case "argument":
            found = scaled(w, "class_weight")
        case "constant":
            constants = c["constants"]
            assert isinstance(constants, tuple), "a contract with constants holds them as a tuple"
            found = scaled(w, w.op("array", values=[float(v) for v in constants]))
        case "batch_counts":
            found = scaled(w, _from_counts(w))
        case other:
            raise Unspellable(f"weights_from={other} cannot be written as code")
    return found if found == "class_weight" else w.let("weight_of_class", found)


def _from_counts(w: Writer) -> str:
    given = labels.dense(w)
    if w.kept:
        given = f"({given} * {w.op('column', x=w.op('cast', x='kept'))})"
    counts = w.let("counts", w.op("stop", x=w.op("sum_rows", x=given)))
    some = w.let("present", w.where("counts > 0", counts, "1.0"))
    total, classes = w.op("sum", x=counts), w.op("classes_float", x=w.x)
    formulas = {
        "inverse": f"1 / {some}",
        "total": f"{total} / {some}",
        "balanced": f"{total} / ({classes} * {some})",
        "others_share": f"1 - {some} / {total}",
    }
    formula = w.contract.value("weights_formula")
    if formula == "effective_number":
        beta = w.contract.number("beta")
        formulas[formula] = f"{1 - beta!r} / (1 - {beta!r} ** {some})"
    if formula not in formulas:
        raise Unspellable(f"weights_formula={formula} cannot be written as code")
    return w.let("from_counts", w.where("counts > 0", formulas[formula], "0.0"))


def of_positives(w: Writer) -> str:
    """An expression for the weights of positive labels."""
    if w.contract["weights_from"] == "batch_counts":
        given = labels.dense(w)
        q = w.let("positives", f"{w.op('rows', x=given)} / ({w.op('sum_rows', x=given)} + 1e-06)")
        return scaled(w, q)
    return scaled(w, "pos_weight")


def costs(w: Writer) -> str:
    """The name of the costs [N, C] of each row's class against every prediction."""
    matrix = scaled(w, "cost_matrix")
    if w.contract["cost_orientation"] == "predicted_rows":
        matrix = w.op("transposed", x=matrix)
    if w.sparse:
        return w.let("costs", w.op("take", w=matrix, y="labels"))
    return w.let("costs", w.op("matmul", a="labels", b=matrix))
