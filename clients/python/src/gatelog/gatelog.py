"""Gatelog as one service sees it: who decides on its requests, and where they are reported to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Optional, Union

from .credentials import ClientCredentials, TokenSource
from .exchange import Unreachable, http_url
from .introspection import Introspection
from .keys import RemoteKeys
from .refusal import Refused
from .report import Reporter
from .token import GATELOG_AUDIENCE, Caller, Trust, bearer_token, verify

#: The scope without which the intake takes no report.
INTAKE_SCOPE = "audit:write"


class Gatelog:
    """
    Verifies the tokens of requests and reports what became of them.

    ``issuer`` is the address of Gatelog's door, which is also the ``iss`` of its tokens, to the letter. ``audience`` is what
    tokens for this service are minted for. With ``credentials`` every request is reported; the client needs the scope
    ``audit:write`` for the audience ``gatelog``. With ``introspect`` every token is asked about as well, at most every
    ``introspect`` seconds; the client needs the scope ``introspect`` and the service's own audience.

    ``jwks_url``, ``door`` and ``auth`` say where the keys, the intake and the OAuth end points are if not below ``issuer``.
    """

    def __init__(
        self,
        issuer: str,
        audience: Union[str, Iterable[str]],
        credentials: Optional[ClientCredentials] = None,
        *,
        introspect: Optional[float] = None,
        jwks_url: Optional[str] = None,
        door: Optional[str] = None,
        auth: Optional[str] = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the settings; nothing is asked of Gatelog before the first request or `start`."""
        audiences = frozenset([audience] if isinstance(audience, str) else audience)
        if not audiences or "" in audiences or GATELOG_AUDIENCE in audiences:
            raise ValueError(f"a service has an audience of its own, which is not {GATELOG_AUDIENCE!r}")
        if introspect is not None and credentials is None:
            raise ValueError("to ask about tokens takes the credentials of a client")
        base = http_url(issuer)
        self._issuer, self._audience, self._clock = issuer, audiences, clock
        self._keys = RemoteKeys(jwks_url or f"{base}/.well-known/jwks.json")
        self.reporter: Optional[Reporter] = None
        self._introspection: Optional[Introspection] = None
        if credentials is not None:
            self.reporter = Reporter(door or base, TokenSource(auth or base, credentials, INTAKE_SCOPE))
            if introspect is not None:
                self._introspection = Introspection(auth or base, credentials, introspect)

    def start(self) -> None:
        """Begin to fetch the keys, so that the first request does not wait for them."""
        self._keys.start()

    def wait_for_keys(self, seconds: float) -> None:
        """Block until keys are known, or until so many seconds after the beginning."""
        self._keys.wait(seconds)

    @property
    def has_keys(self) -> bool:
        """Whether tokens can be decided on."""
        return self._keys.current() is not None

    @property
    def asks_about_tokens(self) -> bool:
        """Whether `confirm` asks auth-service, and so may block."""
        return self._introspection is not None

    def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[Caller, str]:
        """Tell who calls, and by which token; raises `Refused`. Does not block."""
        token = bearer_token(headers)
        if token is None:
            raise Refused("token_missing")
        trust = Trust(self._issuer, self._audience, self._keys.current())
        try:
            return verify(token, trust, self._clock()), token
        except Refused as refused:
            if refused.code == "token_key_unknown":
                self._keys.want()
            raise

    def confirm(self, token: str) -> None:
        """Refuse a token that was revoked, if this service asks about tokens. Blocks."""
        if self._introspection is None:
            return
        try:
            is_active = self._introspection.is_active(token)
        except Unreachable as error:
            raise Refused("revocations_unknown") from error
        if not is_active:
            raise Refused("token_revoked")

    def close(self, seconds: float = 5.0) -> None:
        """Report what waits to be reported, for so many seconds at most."""
        if self.reporter is not None:
            self.reporter.close(seconds)
