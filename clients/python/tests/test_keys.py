"""Keys: only those that are good, kept while the issuer is away, and asked for within a bound."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import pytest
from issuer import Issuer, Key, encoded, running, until

from gatelog.key_set import KeySet, UnusableKeySet
from gatelog.keys import RemoteKeys

GOOD = Key("k1").jwk


def is_usable(**other: Any) -> bool:
    jwk = {name: value for name, value in {**GOOD, **other}.items() if value is not None}
    try:
        KeySet.from_jwks(json.dumps({"keys": [jwk]}).encode())
    except UnusableKeySet:
        return False
    return True


def test_a_key_is_public_named_and_for_signatures() -> None:
    assert is_usable()
    assert is_usable(use=None, alg=None, key_ops=["verify"])
    for name, value in [
        ("d", "AAAA"),
        ("kid", None),
        ("kid", ""),
        ("kid", "k" * 257),
        ("kid", 1),
        ("use", "enc"),
        ("alg", "HS256"),
        ("alg", "ES256"),
        ("key_ops", ["sign"]),
        ("key_ops", "verify"),
        ("kty", "oct"),
        ("kty", "EC"),
        ("crv", "Ed448"),
        ("crv", ["Ed25519"]),
        ("x", "AAAA"),
        ("x", GOOD["x"] + "="),
        ("x", 1),
    ]:
        assert not is_usable(**{name: value}), (name, value)


def test_rsa_is_of_2048_bits_and_not_of_the_broken_generator() -> None:
    def rsa(n: int, e: int = 65537) -> bool:
        def number(value: int) -> str:
            return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))

        return is_usable(kty="RSA", crv=None, x=None, alg=None, n=number(n), e=number(e))

    assert rsa((1 << 2047) + 9)
    assert not rsa((1 << 2046) + 9)
    assert not rsa((1 << 2047) + 9, e=1)
    assert not rsa(pow(65537, 128))


def test_a_repeated_kid_is_nobody_s_and_a_set_without_keys_is_none() -> None:
    twice = json.dumps({"keys": [GOOD, Key("k1").jwk, Key("k2").jwk]}).encode()

    keys = KeySet.from_jwks(twice)

    assert keys.find("k1") is None
    assert keys.find("k2") is keys.find(None) is not None
    for document in [b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":{}}', b'{"keys":[1]}', b" " * 300_000]:
        with pytest.raises(UnusableKeySet):
            KeySet.from_jwks(document)


def test_keys_stay_known_while_the_issuer_is_away(issuer: Issuer) -> None:
    keys = RemoteKeys(f"{issuer.url}/.well-known/jwks.json", pause=0.05)
    keys.wait(5)
    known = keys.current()

    issuer.jwks_status = 500
    asked = issuer.jwks_asked
    keys.want()

    until("the issuer was asked again in vain", lambda: issuer.jwks_asked > asked)
    assert known is not None
    assert keys.current() is known


def test_an_unknown_key_is_asked_for_and_a_flood_of_them_is_not() -> None:
    issuer = Issuer()
    with running(issuer):
        keys = RemoteKeys(f"{issuer.url}/.well-known/jwks.json", pause=0.3)
        keys.wait(5)
        issuer.keys.insert(0, Key("k2"))

        for _ in range(1000):
            keys.want()

        until("the new key is known", lambda: (found := keys.current()) and found.find("k2"))
        assert issuer.jwks_asked == 2


def test_keys_are_found_when_the_issuer_comes_late() -> None:
    with running(Issuer()) as early:
        port = int(early.url.rsplit(":", 1)[1])
    keys = RemoteKeys(f"http://127.0.0.1:{port}/.well-known/jwks.json")
    keys.wait(0.1)
    assert keys.current() is None

    with running(Issuer(), port):
        until("the keys are known", keys.current)


class Redirecting(Issuer):
    def __init__(self, to: str) -> None:
        super().__init__()
        self._to = to

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], Any]:
        return 302, {"location": self._to + path}, {}


def test_a_redirect_is_not_followed() -> None:
    with running(Issuer()) as stranger, running(Redirecting(stranger.url)) as issuer:
        keys = RemoteKeys(f"{issuer.url}/.well-known/jwks.json")

        keys.wait(0.5)

        assert keys.current() is None
        assert stranger.jwks_asked == 0


def test_a_child_process_fetches_its_own_keys(issuer: Issuer) -> None:
    keys = RemoteKeys(f"{issuer.url}/.well-known/jwks.json", pause=0.0)
    keys.wait(5)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        keys.current()
        names = [thread.name for thread in threading.enumerate()]
        os.write(write, str(names.count("gatelog-keys")).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 10) == b"1"


def test_only_an_address_is_taken_for_one() -> None:
    for url in ["", "issuer.example", "ftp://issuer.example", "file:///etc/passwd", "https://", "https://a/?b=c"]:
        with pytest.raises(ValueError, match="not of the form"):
            RemoteKeys(url)
