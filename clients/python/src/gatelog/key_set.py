"""The keys that verify one issuer's tokens, each bound to one algorithm."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from .strict_json import MalformedJson, parse_object

#: The largest key set read, in bytes, and the most keys in it.
JWKS_BYTES_MAX = 256 * 1024
_KEYS_MAX = 64

#: The longest key id looked at.
_KID_LENGTH_MAX = 256

#: RFC 7518 section 3.3 asks for 2048 bits; beyond 8192 a signature costs more than it is worth.
_RSA_BITS = range(2048, 8193)

#: Primes modulo which the moduli of a broken generator (CVE-2017-15361, "ROCA") are powers of 65537.
_FINGERPRINT = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)

#: Raises ``InvalidSignature`` unless the signature (first) is one of the message (second).
_Verify = Callable[[bytes, bytes], None]


class UnusableKeySet(ValueError):
    """Bytes that are no key set which could verify anything."""


def decode_base64url(text: str) -> bytes:
    """Decode base64url without padding, in its one spelling; raises ``ValueError`` for every other."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # Bits that are left over must be zero, or one value had several texts.
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != text.encode("ascii"):
        raise ValueError("not base64url")
    return decoded


@dataclass(frozen=True)
class VerifyingKey:
    """A key and the only algorithm that it may verify with (RFC 8725 section 3.1)."""

    kid: str
    algorithm: str
    _verify: _Verify

    def has_signed(self, message: bytes, signature: str) -> bool:
        """Whether ``signature`` is one of this key over ``message``."""
        try:
            self._verify(decode_base64url(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True


class KeySet:
    """One issuer's keys."""

    def __init__(self, keys: dict[str, VerifyingKey]) -> None:
        """Make a set of the keys by their ids."""
        self._keys = keys

    @classmethod
    def from_jwks(cls, document: bytes) -> KeySet:
        """
        Read a JSON Web Key Set and keep the keys that may verify signatures.

        Left out, as long as one remains: symmetric and unknown kinds, keys without or with a repeated ``kid``, for
        encryption, of another curve than Ed25519 and P-256, RSA that is weak, with an ``alg`` that is not their kind's, or
        published together with their private half.
        """
        if len(document) > JWKS_BYTES_MAX:
            raise UnusableKeySet("the key set is too large")
        try:
            members = parse_object(document).get("keys")
        except MalformedJson as error:
            raise UnusableKeySet("not a JSON Web Key Set") from error
        if not isinstance(members, list) or len(members) > _KEYS_MAX:
            raise UnusableKeySet("not a JSON Web Key Set, or one of too many keys")
        usable = [key for key in map(_usable_key, members) if key is not None]
        ids = [key.kid for key in usable]
        keys = {key.kid: key for key in usable if ids.count(key.kid) == 1}
        if not keys:
            raise UnusableKeySet("the key set holds no usable key")
        return cls(keys)

    def find(self, kid: Optional[str]) -> Optional[VerifyingKey]:
        """Find the key of that id; without an id only a set with a single key can tell."""
        if kid is not None:
            return self._keys.get(kid)
        return next(iter(self._keys.values())) if len(self._keys) == 1 else None


def _usable_key(jwk: Any) -> Optional[VerifyingKey]:
    # Everyone who reads the set could sign with a key whose private half is in it.
    if not isinstance(jwk, dict) or "d" in jwk:
        return None
    kid, operations = jwk.get("kid"), jwk.get("key_ops")
    if not isinstance(kid, str) or not 0 < len(kid.encode()) <= _KID_LENGTH_MAX:
        return None
    if jwk.get("use") not in (None, "sig"):
        return None
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    try:
        made = _KINDS[(jwk.get("kty"), jwk.get("crv"))](jwk)
    except (KeyError, TypeError, ValueError):
        return None
    algorithm, verify = made
    return VerifyingKey(kid, algorithm, verify) if jwk.get("alg") in (None, algorithm) else None


def _ed25519(jwk: dict[str, Any]) -> tuple[str, _Verify]:
    return "EdDSA", Ed25519PublicKey.from_public_bytes(decode_base64url(jwk["x"])).verify


def _p256(jwk: dict[str, Any]) -> tuple[str, _Verify]:
    x, y = decode_base64url(jwk["x"]), decode_base64url(jwk["y"])
    if (len(x), len(y)) != (32, 32):
        raise ValueError("coordinates have 32 bytes (RFC 7518 section 6.2.1.2)")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
    key = numbers.public_key()

    def verify(signature: bytes, message: bytes) -> None:
        if len(signature) != 64:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))

    return "ES256", verify


def _rsa(jwk: dict[str, Any]) -> tuple[str, _Verify]:
    n, e = (int.from_bytes(decode_base64url(jwk[name]), "big") for name in ("n", "e"))
    if n.bit_length() not in _RSA_BITS or e.bit_length() > 33 or _is_of_the_broken_generator(n):
        raise ValueError("not a strong key")
    key = RSAPublicNumbers(e, n).public_key()

    def verify(signature: bytes, message: bytes) -> None:
        key.verify(signature, message, padding.PKCS1v15(), SHA256())

    return "RS256", verify


def _is_of_the_broken_generator(modulus: int) -> bool:
    return all(modulus % prime in {pow(65537, power, prime) for power in range(1, prime)} for prime in _FINGERPRINT)


_KINDS: dict[tuple[Any, Any], Callable[[dict[str, Any]], tuple[str, _Verify]]] = {
    ("OKP", "Ed25519"): _ed25519,
    ("EC", "P-256"): _p256,
    ("RSA", None): _rsa,
}
