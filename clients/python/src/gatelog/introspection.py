"""Asks auth-service whether a token is still good (RFC 7662), for services to which ten minutes are too long."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from urllib.parse import urlencode

from .credentials import ClientCredentials
from .exchange import Unreachable, http_url, send

#: Tokens remembered at most.
_CACHE_MAX = 10_000


class Introspection:
    """Remembers each answer for ``cache_seconds``: for so long a revoked token may still pass."""

    def __init__(self, issuer: str, credentials: ClientCredentials, cache_seconds: float = 5.0) -> None:
        """Ask as a client that has the scope ``introspect`` and the audience of the tokens."""
        self._url = f"{http_url(issuer)}/oauth/introspect"
        self._credentials, self._cache_seconds = credentials, cache_seconds
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, tuple[float, bool]] = OrderedDict()

    def is_active(self, token: str) -> bool:
        """Whether the token is good now. Blocks; raises `Unreachable` if nobody can tell."""
        digest = hashlib.sha256(token.encode("ascii")).digest()
        with self._lock:
            known_until, is_active = self._answers.get(digest, (0.0, False))
            if time.monotonic() < known_until:
                return is_active
        asked_at = time.monotonic()
        is_active = self._ask(token)
        with self._lock:
            self._answers.pop(digest, None)
            self._answers[digest] = (asked_at + self._cache_seconds, is_active)
            while len(self._answers) > _CACHE_MAX:
                self._answers.popitem(last=False)
        return is_active

    def _ask(self, token: str) -> bool:
        headers = {
            "authorization": self._credentials.authorization(),
            "content-type": "application/x-www-form-urlencoded",
        }
        answer = send(self._url, headers, urlencode({"token": token}).encode("ascii"))
        try:
            active = json.loads(answer.body)["active"] if answer.status == 200 else None
        except (KeyError, TypeError, ValueError):
            active = None
        if not isinstance(active, bool):
            raise Unreachable(f"{self._url}: status {answer.status}")
        return active
