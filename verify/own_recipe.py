"""A user loss as one more recipe of its framework, in workers that run and measure recipes.

The environment of a worker names the loss: it must contain `OwnRecipe.environment`. The loss is found and bound as
verify does it, by the interpreter of that worker.
"""

from __future__ import annotations

import os

import msgspec

from lossvet import adapters
from lossvet.adapters.types import Adapter
from lossvet.reference import variants
from lossvet.reference.types import Reduction
from lossvet.verify import fit, loading, user_recipe
from lossvet.verify.binding import Options
from lossvet.verify.sources import FileSource, ModuleSource, SourceError, parse
from lossvet.workers import serve

VARIABLE = "LOSSVET_OWN_LOSS"


class OwnRecipe(msgspec.Struct, frozen=True):
    """The loss that `spec` names, looked for from `folder`, asked as a variant under a reduction."""

    spec: str
    folder: str
    variant: str
    reduction: Reduction
    options: Options = Options()

    def environment(self) -> dict[str, str]:
        """What the environment of a worker has to say for its adapter to have the recipe `user_recipe.RECIPE`."""
        return {serve.EXTENDED_BY: __name__, VARIABLE: msgspec.json.encode(self).decode()}


def added(adapter: Adapter) -> Adapter:
    """The adapter with the loss that the environment names, where that is of its framework.

    Raises SourceError where it cannot be found or bound.
    """
    own = msgspec.json.decode(os.environ[VARIABLE], type=OwnRecipe)
    source, variant = parse(own.spec), variants.load(own.variant)
    if not isinstance(source, FileSource | ModuleSource):
        raise SourceError("spec", f"{own.spec} is not a function of a framework")
    if source.framework != adapter.name:
        return adapter
    function = loading.load(source, own.folder)
    primitives = adapter.primitives or adapters.primitives(adapter.name, isolated=True)
    found = fit.suited(primitives, function, source.name, variant, own.options, fit.UNLIMITED)
    dtypes = ("float32",) if found.best.dtype == "float32" else adapter.dtypes
    return user_recipe.added(adapter, found.calling(variant, adapter.ops), own.reduction, dtypes)
