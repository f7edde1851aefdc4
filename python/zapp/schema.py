"""
Checks the shape of a manifest by schema/manifest.v1.schema.json: an interpreter of the few keywords that it uses.
Which keyword breaks which rule: FORMAT.md §Manifest, M1 to M4.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterator, Optional

from .strict_json import BAD, Bad, Path
from .tables import table

Schema = dict[str, Any]


@dataclass(frozen=True)
class Misshape:
    code: str
    path: Path
    target: str
    expected: str
    got: Any


def check_shape(value: Any) -> Iterator[Misshape]:
    """In no particular order. A value that is BAD already is passed over."""
    schema = table("manifest.v1.schema.json")
    return _check(value, schema, schema, ())


def without(value: Any, misshapes: list[Misshape]) -> Any:
    """A copy in which BAD stands for what is misshapen; an entry point without a known type is BAD as a whole."""
    bad = {m.path if not _is_entry_type(m.path) else m.path[:-1] for m in misshapes if m.code != "MANIFEST_REQUIRED"}
    bad |= {m.path[:-1] for m in misshapes if m.code == "MANIFEST_REQUIRED" and _is_entry_type(m.path)}

    def copy(value: Any, path: Path) -> Any:
        if path in bad:
            return BAD
        if isinstance(value, dict):
            return {key: copy(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [copy(item, (*path, index)) for index, item in enumerate(value)]
        return value

    return copy(value, ())


def _is_entry_type(path: Path) -> bool:
    return (len(path) == 2 and path[0] == "entry" or len(path) == 3 and path[0] == "entries") and path[-1] == "type"


#: Rule J7 has left no number but integers.
_TYPES = {"string": str, "object": dict, "array": list, "boolean": bool, "number": int, "integer": int}
_TYPE_NAMES = {"string": "a string", "object": "an object", "array": "an array", "boolean": "true or false"}


def _check(value: Any, schema: Schema, root: Schema, path: Path) -> Iterator[Misshape]:
    if isinstance(value, Bad):
        return
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "oneOf" in schema:
        yield from _choose(value, schema["oneOf"], root, path)
        return
    wanted = schema.get("type")
    if wanted is not None and not _is_type(value, wanted):
        name = _TYPE_NAMES.get(wanted, "a number")
        yield Misshape("MANIFEST_TYPE", path, "value", _expected(schema, name), value)
        return
    wrong = _wrong_value(value, schema)
    if wrong is not None:
        yield Misshape("MANIFEST_VALUE", path, "value", wrong, value)
        return
    if isinstance(value, dict):
        yield from _check_object(value, schema, root, path)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _check(item, schema["items"], root, (*path, index))


def _choose(value: Any, choices: list[Schema], root: Schema, path: Path) -> Iterator[Misshape]:
    """The choice that the entry point's "type" makes."""
    if not isinstance(value, dict):
        yield Misshape("MANIFEST_TYPE", path, "value", "an object", value)
        return
    at = (*path, "type")
    if "type" not in value:
        yield Misshape("MANIFEST_REQUIRED", at, "value", "present", None)
        return
    chosen = value["type"]
    if isinstance(chosen, Bad):
        return
    by_type = {choice["properties"]["type"]["const"]: choice for choice in choices}
    if isinstance(chosen, str) and chosen in by_type:
        yield from _check(value, by_type[chosen], root, path)
        return
    code = "MANIFEST_VALUE" if isinstance(chosen, str) else "MANIFEST_TYPE"
    yield Misshape(code, at, "value", f"one of {', '.join(map(_shown, by_type))}", chosen)


def _check_object(value: dict[str, Any], schema: Schema, root: Schema, path: Path) -> Iterator[Misshape]:
    properties = schema.get("properties", {})
    free = [_pattern(pattern) for pattern in schema.get("patternProperties", ())]
    others = schema.get("additionalProperties", {})
    names = schema.get("propertyNames")
    for key, item in value.items():
        at = (*path, key)
        if key in properties:
            yield from _check(item, properties[key], root, at)
        elif any(pattern.fullmatch(key) for pattern in free):
            continue
        elif others is False:
            yield Misshape("MANIFEST_UNKNOWN_KEY", at, "key", "a known key", key)
        elif names is not None and _wrong_value(key, names) is not None:
            yield Misshape("MANIFEST_VALUE", at, "key", _wrong_value(key, names) or "", key)
        else:
            yield from _check(item, others, root, at)
    for key in schema.get("required", ()):
        if key not in value:
            yield Misshape("MANIFEST_REQUIRED", (*path, key), "value", "present", None)


def _is_type(value: Any, wanted: str) -> bool:
    if isinstance(value, bool) and wanted != "boolean":
        return False
    return isinstance(value, _TYPES[wanted])


def _wrong_value(value: Any, schema: Schema) -> Optional[str]:
    """What the value must be, where it is not."""
    if "const" in schema and value != schema["const"]:
        return _shown(schema["const"])
    if "enum" in schema and value not in schema["enum"]:
        return f"one of {', '.join(map(_shown, schema['enum']))}"
    if isinstance(value, (str, list)):
        least, most = ("minLength", "maxLength") if isinstance(value, str) else ("minItems", "maxItems")
        if not schema.get(least, 0) <= len(value) <= schema.get(most, len(value)):
            return f"{schema.get(least, 0)} to {schema.get(most, 'any number of')} long"
    if isinstance(value, str) and "pattern" in schema and not _pattern(schema["pattern"]).fullmatch(value):
        return _expected(schema, f"text that matches {schema['pattern']}")
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"{schema.get('minimum')} to {schema.get('maximum')}"
    return None


def _expected(schema: Schema, otherwise: str) -> str:
    examples = schema.get("examples")
    return f"{otherwise} like {_shown(examples[0])}" if examples else otherwise


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=None)
def _pattern(pattern: str) -> "re.Pattern[str]":
    # fullmatch, because "$" also stands before a line feed at the end.
    return re.compile(pattern, re.ASCII)
