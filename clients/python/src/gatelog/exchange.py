"""One HTTP request to Gatelog, with bounds on its time and on what comes back."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import urlsplit

#: How long Gatelog may be silent, in seconds.
TIMEOUT_SECONDS = 5.0

#: The largest answer read, in bytes; a key set is the largest there is.
ANSWER_BYTES_MAX = 256 * 1024


class Unreachable(Exception):
    """There was no answer, or none that may be read."""


@dataclass(frozen=True)
class Answer:
    """An answer of any status."""

    status: int
    body: bytes
    retry_after: Optional[float] = None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Where requests go is for settings to say, and credentials go nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def http_url(url: str) -> str:
    """Check an address of Gatelog and return it without a slash at its end."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not of the form https://host or http://host:port")
    return url.rstrip("/")


def send(url: str, headers: dict[str, str], body: Optional[bytes] = None) -> Answer:
    """``GET``, or ``POST`` if there is a body. Blocks; raises `Unreachable`."""
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        try:
            response = _OPENER.open(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            answer = response.read(ANSWER_BYTES_MAX + 1)
            retry_after = response.headers.get("Retry-After", "")
            status = response.status
    # `http.client` has exceptions of its own, which are no `OSError`.
    except Exception as error:
        raise Unreachable(f"{url}: {type(error).__name__}") from error
    if len(answer) > ANSWER_BYTES_MAX:
        raise Unreachable(f"{url}: the answer is too large")
    return Answer(status, answer, float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None)
