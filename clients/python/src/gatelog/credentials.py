"""Tokens that this service gets for itself (``client_credentials``, RFC 6749 section 4.4)."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Optional
from urllib.parse import quote_plus, urlencode

from .exchange import Unreachable, http_url, send
from .token import GATELOG_AUDIENCE

#: A token is replaced this long before its end, in seconds, or at half of its life if that is shorter.
_EARLY_SECONDS = 60.0


class ClientCredentials:
    """The client as which this service is registered at auth-service, with its secret."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        """Take what the registration of the client gave."""
        if not client_id or not client_secret:
            raise ValueError("a client has an id and a secret")
        self.client_id = client_id
        self._secret = client_secret

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"ClientCredentials({self.client_id!r}, ...)"

    def authorization(self) -> str:
        """Prove who we are, by HTTP Basic (RFC 6749 section 2.3.1)."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self._secret)}"
        return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


class TokenSource:
    """Gets an access token for Gatelog itself and keeps it until shortly before its end."""

    def __init__(self, issuer: str, credentials: ClientCredentials, scope: str) -> None:
        """Ask ``issuer`` for tokens of ``scope``, when one is needed."""
        self._url = f"{http_url(issuer)}/oauth/token"
        self._credentials, self._scope = credentials, scope
        self._lock = threading.Lock()
        self._token: Optional[str] = None
        self._good_until = 0.0

    def token(self) -> str:
        """Return a token that is good for a while. May block; raises `Unreachable` if there is none to be had."""
        with self._lock:
            if self._token is None or time.monotonic() >= self._good_until:
                self._token = None
                self._token, lifetime = self._ask()
                self._good_until = time.monotonic() + max(lifetime - _EARLY_SECONDS, lifetime / 2)
            return self._token

    def forget(self, token: str) -> None:
        """Ask for another one next time: this one was refused."""
        with self._lock:
            if self._token == token:
                self._token = None

    def _ask(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials", "resource": GATELOG_AUDIENCE, "scope": self._scope}
        headers = {
            "authorization": self._credentials.authorization(),
            "content-type": "application/x-www-form-urlencoded",
        }
        answer = send(self._url, headers, urlencode(form).encode("ascii"))
        try:
            body = json.loads(answer.body)
            if answer.status == 200:
                return str(body["access_token"]), float(body["expires_in"])
            reason = str(body.get("error"))[:64]
        except (AttributeError, KeyError, TypeError, ValueError):
            reason = "an answer that cannot be read"
        raise Unreachable(f"no token from {self._url}: status {answer.status}, {reason}")
