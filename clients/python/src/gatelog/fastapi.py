"""What a FastAPI route says about who may use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Optional

from starlette.requests import HTTPConnection

from .asgi import caller_of
from .token import Caller


def requires(*, scope: Optional[str] = None, role: Optional[str] = None) -> Callable[[HTTPConnection], Awaitable[Caller]]:
    """
    Make a dependency that gives the `Caller`, if its token has all of these scopes (separated by spaces) and the role.

    ``caller: Caller = Depends(requires(scope="orders:read"))``; without an argument whoever is let in will do.
    """

    async def dependency(connection: HTTPConnection) -> Caller:
        caller = caller_of(connection.scope)
        caller.require(scope=scope, role=role)
        return caller

    return dependency
