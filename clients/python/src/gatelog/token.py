"""
The one decision whether a token is accepted: the door's, for one issuer.

Pure: keys and the time are arguments. Only the signature itself is checked by a library; libraries' own checks of claims
have defaults that are unsafe here (unknown ``crit``, ``typ``, times of another type).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional, TypeVar

from .key_set import KeySet, VerifyingKey, decode_base64url
from .refusal import Refused
from .strict_json import MalformedJson, parse_object

#: The longest token looked at, in bytes.
TOKEN_BYTES_MAX = 8 * 1024

#: How far clocks may differ, in seconds, in every comparison of times.
LEEWAY_SECONDS = 5

#: The audience of Gatelog's own end points, which is never that of an API.
GATELOG_AUDIENCE = "gatelog"

_Value = TypeVar("_Value")

#: ASCII's alone, as at the door: with Unicode's one scope would be two.
_BLANKS = re.compile(r"[ \t\n\f\r]+")

_ALGORITHMS = frozenset({"EdDSA", "ES256", "RS256"})


@dataclass(frozen=True)
class Trust:
    """Who is trusted, for which audiences, with which keys; ``None`` while these could not be fetched."""

    issuer: str
    audience: frozenset[str]
    keys: Optional[KeySet]


@dataclass(frozen=True)
class Caller:
    """Who calls, by a token that was accepted."""

    sub: str
    client_id: str
    jti: str
    expires_at: int
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    sid: Optional[str] = None
    username: Optional[str] = None
    #: Every claim as it stands in the token.
    claims: Optional[dict[str, Any]] = None

    def require(self, *, scope: Optional[str] = None, role: Optional[str] = None) -> None:
        """Refuse unless the token has all of these scopes (separated by spaces) and the role."""
        if scope is not None and not set(scope.split()) <= set(self.scopes):
            raise Refused("insufficient_scope", scope=scope)
        if role is not None and role not in self.roles:
            raise Refused("insufficient_scope")


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> Optional[str]:
    """
    Take the request's bearer token, if it has any ``Authorization`` at all.

    Several ``Authorization`` headers are malformed: another reader might look at another one.
    """
    values = [value for name, value in headers if name.lower() == b"authorization"]
    if not values:
        return None
    if len(values) > 1 or not all(byte == 9 or 32 <= byte < 127 for byte in values[0]):
        raise Refused("authorization_malformed")
    scheme, _, token = values[0].decode("ascii").partition(" ")
    # RFC 9110 section 11.1: schemes are compared without regard to case.
    if scheme.lower() != "bearer" or not token or " " in token or "," in token:
        raise Refused("authorization_malformed")
    return token


def verify(token: str, trust: Trust, now: float) -> Caller:
    """
    Accept a token or refuse it.

    Accepted is only a compact JWS of type ``at+jwt`` from the issuer, signed with the one algorithm of a key of its, with
    every claim of RFC 9068 and each of its type, for one of the audiences, within its window at ``now`` give or take five
    seconds. At ``exp`` itself a token is expired (RFC 7519 section 4.1.4). Revocations are no part of it.
    """
    if len(token.encode("utf-8", "surrogatepass")) > TOKEN_BYTES_MAX:
        raise Refused("token_too_long")
    parts = token.split(".")
    if len(parts) < 3:
        raise Refused("token_malformed")
    # A further dot stays in the claims, where it is no base64url.
    head, body, signature = parts[0], ".".join(parts[1:-1]), parts[-1]
    header = _object(head)
    # RFC 7797's `b64: false` changes what is signed; it is refused like every other extension.
    if "crit" in header or "b64" in header:
        raise Refused("token_critical_header")
    claims = _object(body)
    key = _key(header, claims, trust)
    if not key.has_signed(f"{head}.{body}".encode(), signature):
        raise Refused("token_signature_invalid")
    caller, audience = _caller(claims, now)
    if not (audience & trust.audience) - {GATELOG_AUDIENCE}:
        raise Refused("token_audience_refused")
    return caller


def _object(part: str) -> dict[str, Any]:
    try:
        return parse_object(decode_base64url(part))
    except (MalformedJson, ValueError) as error:
        raise Refused("token_malformed") from error


def _key(header: dict[str, Any], claims: dict[str, Any], trust: Trust) -> VerifyingKey:
    """Find the key that has to have signed: everything up to the signature."""
    if claims.get("iss") != trust.issuer:
        raise Refused("token_issuer_unknown")
    kid, typ, algorithm = header.get("kid"), header.get("typ"), header.get("alg")
    if "kid" in header and not isinstance(kid, str):
        raise Refused("token_malformed")
    # RFC 7515 section 4.1.9: compared without regard to case; `application/` may be left out.
    if not isinstance(typ, str) or _lower(typ) not in ("at+jwt", "application/at+jwt"):
        raise Refused("token_type_refused")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise Refused("token_algorithm_refused")
    if trust.keys is None:
        raise Refused("keys_unavailable")
    key = trust.keys.find(kid)
    if key is None:
        raise Refused("token_key_unknown")
    if key.algorithm != algorithm:
        raise Refused("token_algorithm_refused")
    return key


def _lower(text: str) -> str:
    # Unlike `str.lower`, this maps no letter outside ASCII into it.
    return "".join(chr(ord(character) + 32) if "A" <= character <= "Z" else character for character in text)


def _caller(claims: dict[str, Any], now: float) -> tuple[Caller, set[str]]:
    expires_at = _required("exp", _time(claims, "exp"))
    starts = [_time(claims, name) for name in ("iat", "nbf")]
    if now >= expires_at + LEEWAY_SECONDS:
        raise Refused("token_expired")
    if any(start is not None and now + LEEWAY_SECONDS < start for start in starts):
        raise Refused("token_not_yet_valid")
    for name in ("iat", "jti", "client_id"):
        if name not in claims:
            raise Refused("token_claim_missing", claim=name)
    own_sub, roles = _text(claims, "sub"), _list(claims, "roles")
    sub, audience = _required("sub", own_sub), _required("aud", _list(claims, "aud"))
    jti, client_id, sid = (_text(claims, name) for name in ("jti", "client_id", "sid"))
    scope, username = _text(claims, "scope"), _text(claims, "username")
    _time(claims, "auth_time")
    caller = Caller(
        sub=sub,
        client_id=_required("client_id", client_id),
        jti=_required("jti", jti),
        expires_at=expires_at,
        scopes=tuple(filter(None, _BLANKS.split(scope or ""))),
        roles=tuple(roles or ()),
        sid=sid,
        username=username,
        claims=claims,
    )
    return caller, set(audience)


def _required(name: str, value: Optional[_Value]) -> _Value:
    if value is None:
        raise Refused("token_claim_missing", claim=name)
    return value


def _text(claims: dict[str, Any], name: str) -> Optional[str]:
    """Read a text that is not empty; a wrong type is an error and never taken for an absence."""
    if name not in claims:
        return None
    value = claims[name]
    if not isinstance(value, str) or (not value and name != "scope"):
        raise Refused("token_claim_malformed", claim=name)
    return value


def _list(claims: dict[str, Any], name: str) -> Optional[list[str]]:
    """Read a text, or a list of texts none of which is empty."""
    if name not in claims:
        return None
    values = claims[name] if isinstance(claims[name], list) else [claims[name]]
    if not all(isinstance(value, str) and value for value in values):
        raise Refused("token_claim_malformed", claim=name)
    return list(values)


def _time(claims: dict[str, Any], name: str) -> Optional[int]:
    """Read a number of seconds, which may have a fraction (RFC 7519 section 2); rounded down."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    # Beyond 2^53 a float no longer counts seconds one by one.
    if isinstance(value, float) and abs(value) < 2**53:
        return math.floor(value)
    raise Refused("token_claim_malformed", claim=name)
