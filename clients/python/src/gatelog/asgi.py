"""The middleware: no request reaches the service without a good token, and every request is reported."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from http import HTTPStatus
from typing import Any, Optional

from .entry import Observed, add_detail, entry_of
from .gatelog import Gatelog
from .refusal import Refused
from .token import Caller

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Where the middleware leaves what it knows of a request.
_SCOPE_KEY = "gatelog"

#: How long the very first requests may wait for the issuer's keys, in seconds.
_FIRST_KEYS_SECONDS = 2.0

_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)

#: RFC 6455 section 7.4.1: the connection violates the policy of the service.
_POLICY_VIOLATION = 1008


class GatelogMiddleware:
    """
    Lets in who has a good token, and everyone to the paths in ``public``, at which no token is looked at.

    Paths are compared to the letter, so that a misspelt one is closed rather than open. What a token must be good for is
    said where the request is served: see `requires` in ``gatelog.fastapi``, or `Caller.require`.
    """

    def __init__(self, app: ASGIApp, gatelog: Gatelog, public: Collection[str] = ()) -> None:
        """Stand before ``app``."""
        if isinstance(public, str):
            raise TypeError("`public` is a list of paths")
        self._app, self._gatelog, self._public = app, gatelog, frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] in ("http", "websocket"):
            await self._serve(scope, receive, send)
        else:
            raise RuntimeError(f"nothing is known of connections of type {scope['type']!r}")

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._gatelog.start()

        async def send_last(message: Message) -> None:
            # After this message the server may end the loop, and the last reports with it.
            if message["type"].startswith("lifespan.shutdown."):
                await asyncio.to_thread(self._gatelog.close)
            await send(message)

        await self._app(scope, receive, send_last)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        observed = _observe(scope)
        scope[_SCOPE_KEY] = observed
        answer = _Answer(scope, observed, send)
        try:
            try:
                if scope["path"] not in self._public:
                    observed.caller = await self._admit(scope)
                await self._app(scope, receive, answer.send)
            except Refused as refused:
                if answer.begun:
                    raise
                observed.reason = refused.code
                await answer.refuse(refused)
        except BaseException as error:
            observed.reason = "client_gone" if isinstance(error, asyncio.CancelledError) else "exception"
            if not answer.begun:
                # The server, or a middleware outside of this one, answers so.
                observed.status = HTTPStatus.INTERNAL_SERVER_ERROR
            raise
        finally:
            observed.route = getattr(scope.get("route"), "path", None)
            if self._gatelog.reporter is not None:
                self._gatelog.reporter.report(entry_of(observed, time.time()))

    async def _admit(self, scope: Scope) -> Caller:
        if not self._gatelog.has_keys:
            await asyncio.to_thread(self._gatelog.wait_for_keys, _FIRST_KEYS_SECONDS)
        caller, token = self._gatelog.authenticate(scope["headers"])
        if self._gatelog.asks_about_tokens:
            await asyncio.to_thread(self._gatelog.confirm, token)
        return caller


def caller_of(scope: Scope) -> Caller:
    """Who calls; raises `Refused` at a public path, where nobody is known."""
    caller = _observed(scope).caller
    if caller is None:
        raise Refused("token_missing")
    return caller


def note(scope: Scope, name: str, value: Any) -> None:
    """Have something said of the request in its report: a text, a number or a truth value, and no secret."""
    add_detail(_observed(scope), name, value)


def _observed(scope: Scope) -> Observed:
    observed = scope.get(_SCOPE_KEY)
    if not isinstance(observed, Observed):
        raise RuntimeError("GatelogMiddleware does not stand before this service")
    return observed


class _Answer:
    """The answer on its way out, watched."""

    def __init__(self, scope: Scope, observed: Observed, send: Send) -> None:
        self._scope, self._observed, self._send = scope, observed, send
        self._started = time.perf_counter()
        self.begun = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.accept", "websocket.close"):
            self._begin(message)
        elif kind == "http.response.body":
            self._observed.response_bytes += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        """Answer with RFC 9457 problem details; a connection that is no request yet is closed."""
        if self._scope["type"] == "websocket":
            self._observed.status = refused.status
            await self._send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": refused.code})
            return
        problem = {
            "type": "about:blank",
            "title": HTTPStatus(refused.status).phrase,
            "status": refused.status,
            "code": refused.code,
            "detail": refused.detail,
            "request_id": self._observed.request_id,
        }
        headers = [("content-type", "application/problem+json"), ("cache-control", "no-store"), *refused.headers]
        body = json.dumps(problem).encode("ascii")
        encoded = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
        encoded.append((b"content-length", str(len(body)).encode("ascii")))
        await self.send({"type": "http.response.start", "status": refused.status, "headers": encoded})
        await self.send({"type": "http.response.body", "body": body})

    def _begin(self, message: Message) -> None:
        if self.begun:
            return
        self.begun = True
        observed = self._observed
        observed.answered_at = time.time()
        observed.duration_us = int((time.perf_counter() - self._started) * 1_000_000)
        if message["type"] == "http.response.start":
            observed.status = message["status"]
            headers = list(message.get("headers", ()))
            if not any(name.lower() == b"x-request-id" for name, _ in headers):
                headers.append((b"x-request-id", observed.request_id.encode("ascii")))
            message["headers"] = headers
        elif message["type"] == "websocket.accept":
            observed.status = HTTPStatus.SWITCHING_PROTOCOLS
        else:
            # Closed before it was accepted, which servers answer with 403.
            observed.status = HTTPStatus.FORBIDDEN


def _observe(scope: Scope) -> Observed:
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.lower(), value.decode("latin-1"))
    raw_path: Optional[bytes] = scope.get("raw_path")
    path = raw_path.decode("latin-1") if raw_path else scope["path"]
    request_id = headers.get(b"x-request-id", "")
    client = scope.get("client")
    return Observed(
        method=scope.get("method", "GET"),
        path=path.split("?", 1)[0],
        request_id=request_id if _PLAIN_ID.fullmatch(request_id) else str(uuid.uuid4()),
        host=headers.get(b"host"),
        client_ip=client[0] if client else None,
        user_agent=headers.get(b"user-agent"),
        traceparent=headers.get(b"traceparent"),
    )
