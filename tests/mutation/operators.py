"""Two kinds of mutant that cosmic-ray has not: of a name in quotes, and of `in`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Operator

Position = tuple[tuple[int, int], tuple[int, int]]


class ReplaceName(Operator):
    """Another word in place of one in quotes, as "mean". Sentences are left alone: they have spaces."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "string" and not node.value.startswith(('"""', "r", "b")):
            text = ast.literal_eval(node.value)
            if text and " " not in text:
                yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        node.value = f'"{ast.literal_eval(node.value)}_"'
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class ReplaceInWithNotIn(Operator):
    """`not in` for the `in` of a comparison, and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "comparison":
            for child in node.children[1::2]:
                if child.get_code().split() in (["in"], ["not", "in"]):
                    yield child.start_pos, child.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        places = [i for i, child in enumerate(node.children) if child.get_code().split() in (["in"], ["not", "in"])]
        found = node.children[places[index]]
        word = " in" if found.get_code().split() == ["not", "in"] else " not in"
        node.children[places[index]] = parso.python.tree.Operator(word, found.start_pos)
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


OWN: dict[str, type[Operator]] = {"own/ReplaceName": ReplaceName, "own/ReplaceInWithNotIn": ReplaceInWithNotIn}
