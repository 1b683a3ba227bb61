"""Reads YAML, and says in one line what is wrong with it."""

from typing import Any

import yaml
from yaml.constructor import ConstructorError


def read_yaml(text: str) -> Any:
    """Return what a YAML text holds, with plain values alone.

    Raises:
        ValueError: It is no YAML, a value is none of its type (2020-13-45), or it is nested too deeply; the message
            says why, and at which line.
    """
    try:
        return yaml.load(text, _Loader)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        said = [each for each in (error.context, error.problem) if each]
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(line + " ".join(", ".join(said).split())) from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


class _Loader(yaml.SafeLoader):
    """Names the line of a value that cannot be made, for which PyYAML passes on whatever Python raises."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            said = f"a value of no such kind ({error})" if isinstance(error, ValueError) else "a value of no such kind"
            raise ConstructorError(None, None, said, node.start_mark) from error
