"""JSON Schema as our checks use it: nothing is fetched, and patterns run in linear time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from .patterns import compiled

MAX_REASON = 300
_NAMES_OF_OUR_OWN = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
# References multiply (forty of them make 2^40 steps), and a schema that names its own dialect brings back Python's
# regular expressions: with either, one check could hold up the whole process.
_UNBOUNDED = frozenset(
    {"$ref", "$dynamicRef", "$recursiveRef", "$id", "$schema", "$anchor", "$dynamicAnchor", "$recursiveAnchor"}
)
_PLAIN_DATA = frozenset({"const", "enum", "default", "examples"})


def check_schema(schema: dict[str, Any]) -> None:
    """Raises ValueError when ``schema`` is no schema (draft 2020-12), has references, or a bad pattern."""
    import jsonschema

    try:
        _validator().check_schema(schema)
        for keyword, value in _keywords(schema):
            _check_keyword(keyword, value)
    except jsonschema.SchemaError as error:
        raise ValueError(f"not a JSON Schema: {error.message}"[:MAX_REASON]) from None
    except RecursionError:
        raise ValueError("the schema is nested too deeply") from None
    except OverflowError:
        raise ValueError("the schema holds a number that is too large") from None


def first_error(schema: dict[str, Any], document: object) -> str | None:
    """Why ``document`` does not fit ``schema``, the most telling reason; None when it does."""
    from jsonschema.exceptions import best_match
    from referencing import Registry

    try:
        # An empty registry: a reference to anywhere else is an error, never a download.
        error = best_match(_validator()(schema, registry=Registry()).iter_errors(document))
    except RecursionError:
        return "the answer is nested too deeply"
    except OverflowError:
        return "the answer holds a number that is too large"
    if error is None:
        return None
    where = "/".join(map(str, error.absolute_path)) or "the answer"
    return f"{where}: {error.message}"[:MAX_REASON]


@lru_cache(maxsize=1)
def _validator() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    return extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


def _pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[Any]:
    """The keyword ``pattern`` on RE2: Python's own engine could take forever on an answer we do not control."""
    from jsonschema import ValidationError

    if validator.is_type(instance, "string") and compiled(pattern).search(instance) is None:
        yield ValidationError(f"does not match {pattern!r}")


def _check_keyword(keyword: str, value: object) -> None:
    if keyword == "pattern":
        compiled(str(value))
    elif keyword == "patternProperties":
        raise ValueError("patternProperties is not supported: list the properties by name")
    elif keyword in _UNBOUNDED:
        raise ValueError(f"{keyword} is not supported: write the schema out in full")


def _keywords(schema: object) -> Iterator[tuple[str, object]]:
    """Every keyword of the schema and of the schemas in it; names of properties and plain data are none."""
    if isinstance(schema, list):
        for item in schema:
            yield from _keywords(item)
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key in _NAMES_OF_OUR_OWN and isinstance(value, dict):
            yield from _keywords(list(value.values()))
        elif key not in _PLAIN_DATA:
            yield str(key), value
            yield from _keywords(value)
