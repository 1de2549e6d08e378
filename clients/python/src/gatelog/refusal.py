"""Why a request is refused: the codes of Gatelog's door, so that clients need to know one list of them."""

from __future__ import annotations

from typing import Optional

#: How long a client should wait, in seconds, when it is we who cannot tell.
RETRY_SECONDS = 1

_DETAILS = {
    "token_missing": "this needs a bearer token",
    "authorization_malformed": "the request's Authorization is not a single bearer token",
    "token_too_long": "the token is too long",
    "token_malformed": "the token is not a signed JWT in compact form",
    "token_critical_header": "the token names critical header extensions, which are not supported",
    "token_type_refused": "the token is not of a type accepted from its issuer",
    "token_issuer_unknown": "the token's issuer is not trusted here",
    "token_algorithm_refused": "the token's algorithm is not accepted from its issuer",
    "token_key_unknown": "the token's key is not among its issuer's keys",
    "keys_unavailable": "the issuer's keys are not available at the moment",
    "token_signature_invalid": "the token's signature does not verify",
    "token_claim_missing": "the token lacks the claim `{claim}`",
    "token_claim_malformed": "the token's claim `{claim}` is not of the right form",
    "token_expired": "the token has expired",
    "token_not_yet_valid": "the token is not valid yet",
    "token_audience_refused": "the token is not meant for this audience",
    "revocations_unknown": "revocations are not known at the moment",
    "token_revoked": "the token has been revoked",
    "insufficient_scope": "the token is good, but its bearer may not do this",
}

#: The token may be good and it is we who cannot tell, which is a 503 and never a 401.
_OURS = frozenset({"keys_unavailable", "revocations_unknown"})


class Refused(Exception):
    """
    A request that is not let in. The texts never quote the token.

    ``code`` is stable and for programs; ``status`` is the HTTP status; ``scope`` is what would do, if scopes decide.
    """

    def __init__(self, code: str, *, claim: Optional[str] = None, scope: Optional[str] = None) -> None:
        """Refuses with a code of the list above; ``claim`` is the name of the claim that it is about."""
        self.code = code
        self.detail = _DETAILS[code].format(claim=claim)
        super().__init__(self.detail)
        self.scope = scope

    @property
    def status(self) -> int:
        """The HTTP status that says so."""
        if self.code in _OURS:
            return 503
        return 403 if self.code == "insufficient_scope" else 401

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The challenge of RFC 6750 section 3, or when to try again."""
        if self.code in _OURS:
            return [("retry-after", str(RETRY_SECONDS))]
        challenge = 'Bearer realm="gatelog"'
        if self.code == "insufficient_scope":
            challenge += ', error="insufficient_scope"'
            if self.scope is not None:
                challenge += f', scope="{self.scope}"'
        elif self.code != "token_missing":
            # RFC 6750 section 3.1: a request without credentials is told no error code.
            challenge += ', error="invalid_token"'
        return [("www-authenticate", challenge)]
