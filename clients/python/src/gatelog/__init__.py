"""Verifies access tokens of Gatelog in ASGI services and reports every request to its log."""

from .asgi import GatelogMiddleware, caller_of, note
from .credentials import ClientCredentials
from .gatelog import Gatelog
from .refusal import Refused
from .report import Counts, Reporter
from .token import Caller

__all__ = [
    "Caller",
    "ClientCredentials",
    "Counts",
    "Gatelog",
    "GatelogMiddleware",
    "Refused",
    "Reporter",
    "caller_of",
    "note",
]
