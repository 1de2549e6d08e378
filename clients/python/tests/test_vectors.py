"""Both verifiers decide alike: the door's forged tokens, and everything that is near a good one."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from issuer import Issuer

from gatelog.key_set import KeySet
from gatelog.refusal import Refused
from gatelog.token import Trust, verify

VECTORS = json.loads((Path(__file__).parents[3] / "shared/tests/vectors/access_tokens.json").read_text(encoding="utf-8"))
AUDIENCE = frozenset({VECTORS["audience"]})
GATELOG = "http://127.0.0.1:8080"


def trust(issuer: str) -> Trust:
    keys = VECTORS["issuers"][issuer]
    return Trust(issuer, AUDIENCE, keys and KeySet.from_jwks(json.dumps(keys).encode()))


TRUST = {issuer: trust(issuer) for issuer in VECTORS["issuers"]}


def outcome(token: str, trusted: Trust) -> str:
    try:
        verify(token, trusted, VECTORS["now"])
    except Refused as refused:
        return refused.code
    return "accepted"


def trust_for(token: str) -> Trust:
    """Choose the trust in the issuer that a token names, since each of them is trusted by the door."""
    try:
        body = token.split(".")[1]
        named = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["iss"]
        return TRUST[named]
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return TRUST[GATELOG]


def case_id(case: dict[str, Any]) -> str:
    return f"{case['test']}: {case['name'][:60]}"


@pytest.mark.parametrize("case", VECTORS["cases"], ids=case_id)
def test_a_forged_token_is_refused_as_the_door_refuses_it(case: dict[str, Any]) -> None:
    assert outcome(case["token"], trust_for(case["token"])) == case["outcome"]


def good_tokens() -> list[str]:
    """Find a good token of each algorithm."""
    test = "a_good_signature_does_not_make_up_for_the_name_of_another_algorithm"
    return [c["token"] for c in VECTORS["cases"] if c["test"] == test and c["outcome"] == "accepted"]


def test_no_character_of_a_good_token_can_be_changed_left_out_or_doubled() -> None:
    tokens = good_tokens()
    assert len(tokens) == 3
    for token in tokens:
        assert outcome(token, TRUST[GATELOG]) == "accepted"
        for at, own in enumerate(token):
            changed = [token[:at] + token[at + 1 :], token[:at]]
            changed += [token[:at] + other + token[at:] for other in (own, "=", "\n")]
            changed += [token[:at] + other + token[at + 1 :] for other in (chr(ord(own) ^ 1), "A", ".", " ", "+") if other != own]
            for one in changed:
                assert outcome(one, TRUST[GATELOG]) != "accepted", (at, one)


def test_only_blanks_of_ascii_separate_scopes(issuer: Issuer) -> None:
    trusted = Trust(issuer.url, AUDIENCE, KeySet.from_jwks(json.dumps({"keys": [issuer.keys[0].jwk]}).encode()))

    caller = verify(issuer.token(scope=" a  b\u00a0admin\u2003admin\x1cadmin\x0badmin\tc\n"), trusted, time.time())

    assert caller.scopes == ("a", "b\u00a0admin\u2003admin\x1cadmin\x0badmin", "c")
