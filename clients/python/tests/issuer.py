"""A stand-in for auth-service and the door: a key set, tokens for machines, an intake, introspection."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DEADLINE = 20.0


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def until(what: str, holds: Any, seconds: float = DEADLINE) -> Any:
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


class Key:
    def __init__(self, kid: str) -> None:
        self.kid = kid
        self._private = Ed25519PrivateKey.generate()

    @property
    def jwk(self) -> dict[str, str]:
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": encoded(raw), "kid": self.kid, "use": "sig", "alg": "EdDSA"}

    def sign(self, claims: dict[str, Any]) -> str:
        header = {"typ": "at+jwt", "alg": "EdDSA", "kid": self.kid}
        message = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        return f"{message}.{encoded(self._private.sign(message.encode()))}"


class Issuer:
    """What it was asked, and what it answers; both may be changed while it runs."""

    def __init__(self) -> None:
        self.url = ""
        self.keys = [Key("k1")]
        self.jwks_status = 200
        self.jwks_asked = 0
        self.tokens_asked: list[dict[str, list[str]]] = []
        self.introspected: list[str] = []
        self.active: Optional[bool] = True
        #: Statuses of the next reports, each with its headers; then all are taken.
        self.troubles: list[tuple[int, dict[str, str]]] = []
        self.refuse_index: Optional[int] = None
        self.reports: list[list[dict[str, Any]]] = []
        self.authorizations: list[str] = []

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [entry for report in self.reports for entry in report]

    def claims(self, **other: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "usr_1",
            "aud": ["orders"],
            "exp": now + 600,
            "iat": now,
            "jti": "tok_1",
            "client_id": "app",
            "sid": "ses_1",
            "scope": "orders:read",
            "roles": ["clerk"],
            "username": "ada",
        }
        return {**claims, **other}

    def token(self, **other: Any) -> str:
        return self.keys[0].sign(self.claims(**other))

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], Any]:
        if path == "/.well-known/jwks.json":
            self.jwks_asked += 1
            return self.jwks_status, {}, {"keys": [key.jwk for key in self.keys]}
        if path == "/oauth/token":
            self.tokens_asked.append(parse_qs(body.decode()))
            return 200, {}, {"access_token": f"machine-{len(self.tokens_asked)}", "expires_in": 600}
        if path == "/oauth/introspect":
            self.introspected.append(parse_qs(body.decode())["token"][0])
            return (503, {}, {}) if self.active is None else (200, {}, {"active": self.active})
        if path == "/v1/intake":
            return self._take(headers, body)
        return 404, {}, {}

    def _take(self, headers: Any, body: bytes) -> tuple[int, dict[str, str], Any]:
        self.authorizations.append(headers["authorization"])
        if self.troubles:
            status, more = self.troubles.pop(0)
            return status, more, {"code": "trouble"}
        entries = json.loads(body)
        self.reports.append(entries)
        refused = []
        if self.refuse_index is not None:
            refused = [{"index": self.refuse_index, "code": "entry_invalid", "detail": "not good"}]
        return 202, {}, {"taken": len(entries) - len(refused), "refused": refused}


@contextmanager
def running(issuer: Issuer, port: int = 0) -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            status, headers, answer = issuer.answer(self.command, self.path, self.headers, self.rfile.read(length))
            data = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            # Who asked may have gone.
            with suppress(OSError):
                self.wfile.write(data)

        do_GET = do_POST = _handle  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
