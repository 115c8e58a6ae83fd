"""YAML from anywhere as plain data: of a bounded size, also after its aliases are followed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from musicvae_lite.core.errors import UsageError
from musicvae_lite.core.files import reason
from musicvae_lite.core.limits import read_regular

_BYTES = 2**20  # of a run file; the longest preset has 3,000
_NODES = 20_000  # values of a file, its aliases followed
_DEPTH = 100


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        UsageError: it cannot be read or is no YAML, with the place; it is too large or too deep.
        MusaeError: it is no regular file.
    """
    try:
        text = read_regular(path, _BYTES).decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({reason(error)})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not YAML: {error}") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """Return what a YAML text says; ``where`` begins the messages.

    Raises:
        UsageError: it is no YAML, with the place; it is too large or too deep.
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _Count().check(node, where)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise UsageError(f"{where}: is not YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise UsageError(
            f"{where}: is nested too deeply (up to {_DEPTH} levels are read)"
        ) from None


class _Loader(yaml.SafeLoader):
    """Says where a value stands that cannot be."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Return what a node means."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, KeyError, OverflowError) as error:  # a date, a truth value
            raise yaml.constructor.ConstructorError(
                None, None, f"a value that cannot be ({error})", node.start_mark
            ) from error


class _Count:
    """Counts the values of a tree as if each alias were written out, without writing it out."""

    def __init__(self) -> None:
        self._known: dict[int, float] = {}

    def check(self, node: yaml.Node, where: str) -> None:
        """Refuse a tree of too many values.

        Raises:
            UsageError: naming the line from which on there are too many.
        """
        if self._of(node, 0) > _NODES:
            line = node.start_mark.line + 1
            raise UsageError(
                f"{where}: from line {line} on holds more than {_NODES:,} values, its aliases "
                "followed; that is no run file"
            )

    def _of(self, node: yaml.Node, depth: int) -> float:
        if depth > _DEPTH:
            raise RecursionError
        count = self._known.get(id(node))
        if count is None:
            self._known[id(node)] = math.inf  # for an alias to what holds it
            children = (
                [part for pair in node.value for part in pair]
                if isinstance(node, yaml.MappingNode)
                else node.value
                if isinstance(node, yaml.SequenceNode)
                else []
            )
            count = 1.0 + sum(self._of(child, depth + 1) for child in children)
            self._known[id(node)] = count
        return count
