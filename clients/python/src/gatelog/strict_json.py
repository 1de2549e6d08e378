"""JSON as strict as the door reads it: what two readers could understand differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any

#: Arrays and objects within one another at most; the door's parser stops there, too.
_DEPTH_MAX = 127


class MalformedJson(ValueError):
    """Not JSON, or JSON that readers disagree about."""


class _Members(dict[str, Any]):
    """An object that remembers whether a name stood in it twice."""

    repeats = False


def parse_object(data: bytes) -> dict[str, Any]:
    """Read an object in which no name stands twice (RFC 7515 section 4, RFC 7519 section 4)."""
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as error:
        raise MalformedJson from error
    if not isinstance(value, _Members) or value.repeats:
        raise MalformedJson
    _check(value)
    return value


def _members(pairs: list[tuple[str, Any]]) -> _Members:
    members = _Members(pairs)
    members.repeats = len(members) != len(pairs)
    return members


def _integer(digits: str) -> Any:
    # Longer ones fit into no 64 bits; as a float they cannot make the parser work for long.
    return int(digits) if len(digits) <= 20 else _finite(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise MalformedJson
    return value


def _refuse(_: str) -> Any:
    raise MalformedJson


def _check(value: Any) -> None:
    """Refuse what is nested too deeply, and halves of surrogate pairs, which are no text."""
    level, depth = [value], 0
    while level:
        for text in level:
            if isinstance(text, str) and any("\ud800" <= character <= "\udfff" for character in text):
                raise MalformedJson
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend((*item, *item.values()))
            elif isinstance(item, list):
                inner.extend(item)
        if any(isinstance(item, (dict, list)) for item in level):
            depth += 1
        if depth > _DEPTH_MAX:
            raise MalformedJson
        level = inner
