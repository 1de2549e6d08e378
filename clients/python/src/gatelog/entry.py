"""One request as it is reported. Pure."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Optional

from .token import Caller

#: What strangers sent is cut to these lengths, in bytes; the intake would cut it as well.
_TEXT_BYTES_MAX = 256
_HOST_BYTES_MAX = 255
_METHOD_BYTES_MAX = 32
_PATH_BYTES_MAX = 1024
_AGENT_BYTES_MAX = 512

_DETAILS_MAX = 16
_DETAIL_NAME_BYTES_MAX = 64


@dataclass
class Observed:
    """What was seen of a request while it was served."""

    method: str
    path: str
    request_id: str
    host: Optional[str] = None
    client_ip: Optional[str] = None
    user_agent: Optional[str] = None
    traceparent: Optional[str] = None
    #: The template of the path, such as ``/orders/{id}``.
    route: Optional[str] = None
    caller: Optional[Caller] = None
    status: Optional[int] = None
    #: Why it was refused or failed, if so.
    reason: Optional[str] = None
    #: When its answer was known, in seconds since 1970, and how long that had taken.
    answered_at: Optional[float] = None
    duration_us: Optional[int] = None
    response_bytes: int = 0
    #: What the service wants to have said of it: texts, numbers and truth values.
    detail: dict[str, Any] = field(default_factory=dict)


def add_detail(observed: Observed, name: str, value: Any) -> None:
    """Add what the intake takes: a text, a number of JSON or a truth value under a short name, 16 of them at most."""
    is_number = isinstance(value, (int, float)) and math.isfinite(value) and abs(value) < 2**63
    if not isinstance(value, str) and not is_number:
        raise ValueError("a note is a text, a number or a truth value")
    if not 0 < len(name.encode("utf-8")) <= _DETAIL_NAME_BYTES_MAX:
        raise ValueError("the name of a note has 1 to 64 bytes")
    if name not in observed.detail and len(observed.detail) >= _DETAILS_MAX:
        raise ValueError("a request has 16 notes at most")
    observed.detail[name] = value


def entry_of(observed: Observed, now: float) -> dict[str, Any]:
    """Write what the intake takes, with an id of its own: what is sent twice is one event."""
    client = {"ip": observed.client_ip, "user_agent": _cut(observed.user_agent, _AGENT_BYTES_MAX)}
    entry: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "time": datetime.fromtimestamp(observed.answered_at or now, timezone.utc).isoformat(timespec="microseconds"),
        "outcome": _outcome(observed),
        "reason": observed.reason,
        "actor": _actor(observed.caller),
        "client": _known(client),
        "http": _known(
            {
                "method": _cut(observed.method, _METHOD_BYTES_MAX),
                "host": _cut(observed.host, _HOST_BYTES_MAX),
                "route": _cut(observed.route, _TEXT_BYTES_MAX),
                "path": _cut(observed.path, _PATH_BYTES_MAX),
                "status": observed.status,
                "duration_us": observed.duration_us,
                "response_bytes": observed.response_bytes,
            }
        ),
        "trace": _known({"request_id": observed.request_id, "traceparent": _cut(observed.traceparent, 64)}),
        "detail": {name: _cut(v, _TEXT_BYTES_MAX) if isinstance(v, str) else v for name, v in observed.detail.items()},
    }
    return _known(entry)


def _outcome(observed: Observed) -> str:
    """Tell a refusal, the request's fault, from an error, which is ours; what the service itself refuses counts as refused."""
    status = observed.status
    if status is None or status >= 500:
        return "error"
    return "denied" if status in (401, 403) else "granted"


def _actor(caller: Optional[Caller]) -> dict[str, Any]:
    if caller is None:
        return {}
    names = ("sub", "username", "client_id", "sid", "jti")
    return _known({name: _cut(getattr(caller, name), _TEXT_BYTES_MAX) for name in names})


def _known(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _cut(text: Optional[str], bytes_max: int) -> Optional[str]:
    """Cut to length between characters; what is no text becomes some."""
    if text is None:
        return None
    data = text.encode("utf-8", "replace")
    if len(data) <= bytes_max:
        return data.decode("utf-8")
    return data[: bytes_max - 3].decode("utf-8", "ignore") + "\u2026"
