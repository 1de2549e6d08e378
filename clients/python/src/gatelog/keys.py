"""Keeps an issuer's keys fresh: asks regularly, and sooner when a token names a key that is not known."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Optional

from .exchange import Unreachable, http_url, send
from .key_set import KeySet, UnusableKeySet

_log = logging.getLogger("gatelog")

#: How often keys are asked for, in seconds.
REFRESH_EVERY = 300.0

#: The least time between two questions: tokens with invented key ids must not make us flood an issuer.
REFRESH_PAUSE = 10.0

#: The shortest and the longest pause between two tries while the issuer is away.
_BACKOFF = (0.2, 30.0)


class RemoteKeys:
    """
    The keys at one address, which comes from settings and never from a token.

    They are fetched by a thread of their own, so that no request waits for an issuer that hangs; those known stay in force
    while it is away.
    """

    def __init__(self, url: str, *, pause: float = REFRESH_PAUSE, every: float = REFRESH_EVERY) -> None:
        """Take the address of a JSON Web Key Set. Nothing is fetched before it is needed."""
        self._url, self._pause, self._every = http_url(url), pause, every
        self._keys: Optional[KeySet] = None
        self._known = threading.Event()
        self._wanted = threading.Event()
        self._starting = threading.Lock()
        self._owner: Optional[int] = None
        self._started_at = 0.0

    def current(self) -> Optional[KeySet]:
        """Return the keys as they are known now, or ``None`` if they never were."""
        self.start()
        return self._keys

    def start(self) -> None:
        """Begin to fetch, if that has not begun. After a fork the child has to begin anew: threads stay behind."""
        if self._owner == os.getpid():
            return
        with self._starting:
            if self._owner != os.getpid():
                self._owner, self._started_at = os.getpid(), time.monotonic()
                threading.Thread(target=self._run, name="gatelog-keys", daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Wait for the first keys, until so many seconds after the beginning: later nobody waits for an issuer that is away."""
        self.start()
        self._known.wait(max(0.0, self._started_at + seconds - time.monotonic()))

    def want(self) -> None:
        """Say that a token named an unknown key, which may be a new one. Nobody waits for the answer."""
        self._wanted.set()

    def _run(self) -> None:
        backoff = _BACKOFF[0]
        failing = False
        while True:
            asked_at = time.monotonic()
            try:
                self._keys = self._fetch()
            except (Unreachable, UnusableKeySet) as error:
                if not failing:
                    _log.warning("the issuer's keys cannot be fetched; those known stay in force: %s", error)
                failing = True
                time.sleep(backoff)
                backoff = min(backoff * 2, _BACKOFF[1])
                continue
            failing, backoff = False, _BACKOFF[0]
            self._known.set()
            if self._wanted.wait(self._every):
                time.sleep(max(0.0, asked_at + self._pause - time.monotonic()))
                self._wanted.clear()

    def _fetch(self) -> KeySet:
        answer = send(self._url, {"accept": "application/json"})
        if answer.status != 200:
            raise Unreachable(f"{self._url}: status {answer.status}")
        return KeySet.from_jwks(answer.body)
