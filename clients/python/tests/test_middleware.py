"""The middleware before a FastAPI service: who is let in, how others are answered, and what is reported of both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from issuer import Issuer, Key, running, until
from starlette.websockets import WebSocketDisconnect

from gatelog import Caller, ClientCredentials, Gatelog, GatelogMiddleware, Refused, note
from gatelog.fastapi import requires

CREDENTIALS = ClientCredentials("cli_1", "a secret of the client")


def service(gatelog: Gatelog) -> FastAPI:
    app = FastAPI()
    app.add_middleware(GatelogMiddleware, gatelog=gatelog, public=["/healthz"])

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.get("/public-by-mistake")
    @app.get("/orders/{order}")
    def read(request: Request, order: int = 0, caller: Caller = Depends(requires(scope="orders:read"))) -> Any:
        note(request.scope, "order", order)
        return {"order": order, "for": caller.sub}

    @app.delete("/orders/{order}")
    async def delete(order: int, caller: Caller = Depends(requires(scope="orders:read", role="admin"))) -> None:
        raise AssertionError

    @app.get("/closed")
    def closed() -> None:
        raise HTTPException(403)

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError

    @app.get("/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"12345"] * 3))

    @app.get("/late")
    def late() -> StreamingResponse:
        def body() -> Iterator[bytes]:
            yield b"begun"
            raise Refused("token_expired")

        return StreamingResponse(body())

    @app.websocket("/socket")
    async def socket(socket: WebSocket, caller: Caller = Depends(requires(scope="orders:read"))) -> None:
        await socket.accept()
        await socket.send_text(caller.sub)
        await socket.close()

    return app


@pytest.fixture
def client(issuer: Issuer) -> Iterator[TestClient]:
    with TestClient(service(Gatelog(issuer.url, "orders", CREDENTIALS)), raise_server_exceptions=False) as one:
        yield one


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def only_report(client: TestClient, issuer: Issuer) -> dict[str, Any]:
    """Wait for the report of the one request."""
    entries: list[dict[str, Any]] = until("the request is reported", lambda: issuer.entries)
    assert len(entries) == 1
    return entries[0]


def test_a_good_token_is_let_in_and_the_request_is_reported(client: TestClient, issuer: Issuer) -> None:
    headers = {**bearer(issuer.token()), "x-request-id": "req-1", "user-agent": "curl/8"}

    answer = client.get("/orders/7?secret=1", headers=headers)

    assert answer.json() == {"order": 7, "for": "usr_1"}
    assert answer.headers["x-request-id"] == "req-1"
    entry = only_report(client, issuer)
    assert len(entry.pop("id")) == 32
    assert entry.pop("time").endswith("+00:00")
    assert entry["http"].pop("duration_us") > 0
    assert entry == {
        "outcome": "granted",
        "actor": {"sub": "usr_1", "username": "ada", "client_id": "app", "sid": "ses_1", "jti": "tok_1"},
        "client": {"ip": "testclient", "user_agent": "curl/8"},
        "http": {
            "method": "GET",
            "host": "testserver",
            "route": "/orders/{order}",
            "path": "/orders/7",
            "status": 200,
            "response_bytes": len(answer.content),
        },
        "trace": {"request_id": "req-1"},
        "detail": {"order": 7},
    }


@pytest.mark.parametrize(
    ("headers", "code", "challenge"),
    [
        ([], "token_missing", 'Bearer realm="gatelog"'),
        (["Basic abc"], "authorization_malformed", 'Bearer realm="gatelog", error="invalid_token"'),
        (["Bearer a", "Bearer a"], "authorization_malformed", 'Bearer realm="gatelog", error="invalid_token"'),
        (["Bearer a b"], "authorization_malformed", 'Bearer realm="gatelog", error="invalid_token"'),
        (["Bearer "], "authorization_malformed", 'Bearer realm="gatelog", error="invalid_token"'),
        (["Bearer \xe4"], "authorization_malformed", 'Bearer realm="gatelog", error="invalid_token"'),
        (["Bearer abc"], "token_malformed", 'Bearer realm="gatelog", error="invalid_token"'),
    ],
)
def test_who_has_no_good_token_is_refused_as_at_the_door(
    client: TestClient, issuer: Issuer, headers: list[str], code: str, challenge: str
) -> None:
    answer = client.get("/orders/7", headers=[(b"authorization", value.encode("latin-1")) for value in headers])

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == challenge
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json()
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Unauthorized", 401)
    assert (problem["code"], problem["request_id"]) == (code, answer.headers["x-request-id"])
    entry = only_report(client, issuer)
    assert (entry["outcome"], entry["reason"], entry["actor"]) == ("denied", code, {})
    assert entry["http"]["status"] == 401


def test_a_scope_that_is_lacking_is_named(client: TestClient, issuer: Issuer) -> None:
    answer = client.get("/orders/7", headers=bearer(issuer.token(scope="orders:write orders:reader")))

    assert answer.status_code == 403
    assert answer.json()["code"] == "insufficient_scope"
    expected = 'Bearer realm="gatelog", error="insufficient_scope", scope="orders:read"'
    assert answer.headers["www-authenticate"] == expected
    entry = only_report(client, issuer)
    assert (entry["outcome"], entry["reason"]) == ("denied", "insufficient_scope")
    assert entry["actor"]["sub"] == "usr_1"
    assert entry["http"]["route"] == "/orders/{order}"


def test_a_role_that_is_lacking_refuses(client: TestClient, issuer: Issuer) -> None:
    answer = client.delete("/orders/7", headers=bearer(issuer.token(roles=["clerk", "administrator"])))

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer realm="gatelog", error="insufficient_scope"'


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"aud": ["gatelog"]}, "token_audience_refused"),
        ({"exp": int(time.time()) - 60}, "token_expired"),
        ({"iss": "https://evil.example"}, "token_issuer_unknown"),
    ],
)
def test_a_token_for_another_service_time_or_world_is_refused(
    client: TestClient, issuer: Issuer, other: dict[str, Any], code: str
) -> None:
    assert client.get("/orders/7", headers=bearer(issuer.token(**other))).json()["code"] == code


def test_a_public_path_looks_at_no_token_and_its_neighbours_do(client: TestClient, issuer: Issuer) -> None:
    assert client.get("/healthz", headers=bearer("nonsense")).status_code == 200
    for path in ["/healthz/", "/healthz/..", "/Healthz", "//healthz", "/nothing"]:
        assert client.get(path, follow_redirects=False).status_code == 401, path


def test_nobody_is_known_at_a_public_path(issuer: Issuer) -> None:
    app = service(Gatelog(issuer.url, "orders"))
    app.user_middleware.clear()
    app.add_middleware(GatelogMiddleware, gatelog=Gatelog(issuer.url, "orders"), public=["/public-by-mistake"])

    with TestClient(app) as client:
        answer = client.get("/public-by-mistake", headers=bearer(issuer.token()))

    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")


def test_without_the_middleware_nothing_is_let_in(issuer: Issuer) -> None:
    app = service(Gatelog(issuer.url, "orders"))
    app.user_middleware.clear()
    app.middleware_stack = None

    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/orders/7", headers=bearer(issuer.token())).status_code == 500


@pytest.mark.parametrize(
    ("path", "outcome", "status", "reason"),
    [
        ("/closed", "denied", 403, None),
        ("/broken", "error", 500, "exception"),
        ("/stream", "granted", 200, None),
        ("/nothing", "granted", 404, None),
        ("/late", "granted", 200, "exception"),
    ],
)
def test_whatever_becomes_of_a_request_is_reported(
    client: TestClient, issuer: Issuer, path: str, outcome: str, status: int, reason: Optional[str]
) -> None:
    client.get(path, headers=bearer(issuer.token()))

    entry = only_report(client, issuer)
    assert (entry["outcome"], entry["http"]["status"], entry.get("reason")) == (outcome, status, reason)
    if path == "/stream":
        assert entry["http"]["response_bytes"] == 15


def test_a_socket_is_opened_with_a_good_token_only(client: TestClient, issuer: Issuer) -> None:
    with client.websocket_connect("/socket", headers=bearer(issuer.token())) as socket:
        assert socket.receive_text() == "usr_1"
    for token in ["nonsense", issuer.token(scope="")]:
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/socket", headers=bearer(token)):
            pass
        assert refused.value.code == 1008

    entries = until("all three are reported", lambda: len(issuer.entries) == 3 and issuer.entries)
    assert [(entry["outcome"], entry["http"]["status"]) for entry in entries] == [
        ("granted", 101),
        ("denied", 401),
        ("denied", 403),
    ]


def test_without_keys_the_answer_is_503_and_with_known_ones_the_issuer_may_be_away() -> None:
    issuer = Issuer()
    with running(issuer):
        with TestClient(service(Gatelog(issuer.url, "orders"))) as client:
            token = issuer.token()
            assert client.get("/orders/7", headers=bearer(token)).status_code == 200
            issuer.jwks_status = 500
            assert client.get("/orders/7", headers=bearer(token)).status_code == 200
        with TestClient(service(Gatelog(issuer.url, "orders"))) as client:
            answer = client.get("/orders/7", headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "www-authenticate" not in answer.headers


def test_a_door_that_is_away_holds_up_no_request(issuer: Issuer) -> None:
    with running(Issuer()) as gone:
        pass
    gatelog = Gatelog(issuer.url, "orders", CREDENTIALS, door=gone.url)
    with TestClient(service(gatelog)) as client:
        for _ in range(50):
            assert client.get("/orders/7", headers=bearer(issuer.token())).status_code == 200
        assert gatelog.reporter is not None
        assert gatelog.reporter.counts.waiting == 50
        gatelog.close(0.1)


def test_shutting_down_sends_what_waits(issuer: Issuer) -> None:
    with TestClient(service(Gatelog(issuer.url, "orders", CREDENTIALS))) as client:
        for _ in range(5):
            client.get("/healthz")

    assert len(issuer.entries) == 5


def test_an_unknown_key_is_looked_for_and_refused_until_it_is_known(issuer: Issuer) -> None:
    gatelog = Gatelog(issuer.url, "orders")
    gatelog._keys._pause = 0.05
    with TestClient(service(gatelog)) as client:
        assert client.get("/orders/7", headers=bearer(issuer.token())).status_code == 200
        issuer.keys.insert(0, Key("k2"))

        first = client.get("/orders/7", headers=bearer(issuer.token()))

        assert first.json()["code"] == "token_key_unknown"
        until(
            "the new key is known",
            lambda: client.get("/orders/7", headers=bearer(issuer.token())).status_code == 200,
        )


@pytest.mark.parametrize(("active", "code"), [(False, "token_revoked"), (None, "revocations_unknown")])
def test_a_service_that_asks_about_tokens_refuses_those_that_are_revoked(
    issuer: Issuer, active: Optional[bool], code: str
) -> None:
    gatelog = Gatelog(issuer.url, "orders", CREDENTIALS, introspect=60)
    with TestClient(service(gatelog)) as client:
        good, other = issuer.token(), issuer.token(jti="tok_2")
        for _ in range(3):
            assert client.get("/orders/7", headers=bearer(good)).status_code == 200
        issuer.active = active

        refused = client.get("/orders/7", headers=bearer(other))
        forged = client.get("/orders/7", headers=bearer(other + "A"))

    assert refused.json()["code"] == code
    assert refused.status_code == (401 if active is False else 503)
    assert forged.json()["code"] == "token_signature_invalid"
    assert issuer.introspected == [good, other]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Gatelog("https://gate.example", "gatelog"),
        lambda: Gatelog("https://gate.example", []),
        lambda: Gatelog("https://gate.example", ""),
        lambda: Gatelog("gate.example", "orders"),
        lambda: Gatelog("https://gate.example", "orders", introspect=5),
    ],
)
def test_settings_that_would_let_in_too_many_or_nobody_are_refused(make: Callable[[], Gatelog]) -> None:
    with pytest.raises(ValueError):
        make()
