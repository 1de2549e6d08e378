"""
Reports what this service did to the door's intake, in the background.

What is reported is queued within a bound and sent in batches by a thread of its own. A request is never held up by it and
never fails of it; what could not be kept is counted. Nothing here is on a disk: a process that is killed takes its queue with
it. Where that is too little, the door in front of the service records every request by itself.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Optional

from .credentials import TokenSource
from .exchange import Answer, Unreachable, http_url, send

_log = logging.getLogger("gatelog")

#: Entries in one report at most, and bytes; the intake takes 100 and 256 KiB.
_BATCH_MAX = 100
_BATCH_BYTES_MAX = 200 * 1024

#: The shortest and the longest pause between two tries, in seconds.
_BACKOFF = (0.5, 30.0)

#: A longer wait that is asked for counts as this long, in seconds.
_RETRY_AFTER_MAX = 60.0

#: How long the end of the process may wait for the last report, in seconds.
_EXIT_SECONDS = 5.0

#: Statuses that say that a report will never be taken as it is.
_HOPELESS = frozenset({400, 413, 415, 422})


@dataclass(frozen=True)
class Counts:
    """What became of the entries so far. All but those that wait are one of the first three."""

    taken: int
    refused: int
    dropped: int
    waiting: int


class Reporter:
    """Sends entries to ``<door>/v1/intake``."""

    def __init__(self, door: str, tokens: TokenSource, *, capacity: int = 10_000, linger: float = 1.0) -> None:
        """Report to ``door``; ``capacity`` entries may wait, and each waits ``linger`` seconds for more to go with it."""
        self._url = f"{http_url(door)}/v1/intake"
        self._tokens, self._capacity, self._linger = tokens, capacity, linger
        self._queue: deque[dict[str, Any]] = deque()
        self._changed = threading.Condition()
        self._thread: Optional[threading.Thread] = None
        self._owner: Optional[int] = None
        self._deadline: Optional[float] = None
        self._taken = self._refused = self._dropped = self._in_flight = 0
        self._troubled = False
        atexit.register(self.close, _EXIT_SECONDS)

    @property
    def counts(self) -> Counts:
        """What became of the entries so far."""
        with self._changed:
            waiting = len(self._queue) + self._in_flight
            return Counts(self._taken, self._refused, self._dropped, waiting)

    def report(self, entry: dict[str, Any]) -> None:
        """Queue an entry, or count it as dropped if too many wait. Never blocks for long and never fails."""
        with self._changed:
            if len(self._queue) + self._in_flight >= self._capacity:
                self._dropped += 1
                self._tell("the queue is full; entries are dropped")
                return
            self._queue.append(entry)
            self._start()
            self._changed.notify_all()

    def close(self, seconds: float = _EXIT_SECONDS) -> None:
        """Send what waits, for so many seconds at most; the rest is dropped. Reporting may begin anew afterwards."""
        with self._changed:
            thread = self._thread if self._owner == os.getpid() else None
            if thread is None or not thread.is_alive():
                return
            self._deadline = time.monotonic() + seconds
            self._changed.notify_all()
        thread.join(seconds + 1.0)

    def _start(self) -> None:
        """Start the thread, if there is none in this process: after a fork it has stayed behind."""
        if self._owner != os.getpid() or self._thread is None or not self._thread.is_alive():
            self._owner, self._deadline, self._in_flight = os.getpid(), None, 0
            self._thread = threading.Thread(target=self._run, name="gatelog-report", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._wait_for_a_batch()
                batch = self._next_batch()
                if not batch and self._deadline is not None:
                    self._thread = None
                    return
            if not batch:
                continue
            self._send_until_decided(batch)

    def _wait_for_a_batch(self) -> None:
        self._changed.wait_for(lambda: self._queue or self._deadline is not None)
        self._changed.wait_for(lambda: len(self._queue) >= _BATCH_MAX or self._deadline is not None, timeout=self._linger)

    def _next_batch(self) -> list[str]:
        batch: list[str] = []
        size = 0
        while self._queue and len(batch) < _BATCH_MAX:
            try:
                entry = json.dumps(self._queue[0], separators=(",", ":"), allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                _log.error("an entry is no JSON: %s", type(error).__name__)
                self._queue.popleft()
                self._refused += 1
                continue
            if batch and size + len(entry) > _BATCH_BYTES_MAX:
                break
            self._queue.popleft()
            batch.append(entry)
            size += len(entry) + 1
        self._in_flight = len(batch)
        return batch

    def _send_until_decided(self, batch: list[str]) -> None:
        backoff = _BACKOFF[0]
        may_ask_again = True
        while True:
            answer = self._send(batch)
            if answer is not None and self._decide(batch, answer):
                return
            # A token that was good when it was kept may have been revoked since; the next one is tried at once.
            if answer is not None and answer.status == 401 and may_ask_again:
                may_ask_again = False
                continue
            asked = answer.retry_after if answer is not None else None
            pause = max(min(asked or 0.0, _RETRY_AFTER_MAX), backoff * random.uniform(0.5, 1.0))  # noqa: S311
            backoff = min(backoff * 2, _BACKOFF[1])
            if not self._pause(pause):
                self._drop_all(len(batch))
                return

    def _send(self, batch: list[str]) -> Optional[Answer]:
        token = None
        try:
            token = self._tokens.token()
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            answer = send(self._url, headers, f"[{','.join(batch)}]".encode())
        except Unreachable as error:
            self._tell(f"reports wait: {error}")
            return None
        if answer.status == 401:
            self._tokens.forget(token)
        return answer

    def _decide(self, batch: list[str], answer: Answer) -> bool:
        """Count what became of the batch; whether that is known."""
        if answer.status in _HOPELESS:
            refused, taken = len(batch), 0
            _log.error("a report was refused with status %d: %.300r", answer.status, answer.body)
        elif answer.status == 202:
            refused = _refused(answer, len(batch))
            taken = len(batch) - refused
        else:
            self._tell(f"reports wait: {self._url}: status {answer.status}")
            return False
        with self._changed:
            self._taken += taken
            self._refused += refused
            self._in_flight = 0
            self._troubled = False
            self._changed.notify_all()
        return True

    def _pause(self, seconds: float) -> bool:
        """Wait before the next try; whether there is time for one."""
        until = time.monotonic() + seconds
        with self._changed:
            while (left := until - time.monotonic()) > 0:
                if self._deadline is not None and until > self._deadline:
                    return False
                self._changed.wait(left)
            return self._deadline is None or time.monotonic() < self._deadline

    def _drop_all(self, in_flight: int) -> None:
        with self._changed:
            self._dropped += in_flight + len(self._queue)
            self._tell("the process ends before everything could be reported; the rest is dropped")
            self._queue.clear()
            self._in_flight = 0

    def _tell(self, what: str) -> None:
        """Log the first trouble of a row."""
        if not self._troubled:
            _log.warning("%s", what)
        self._troubled = True


def _refused(answer: Answer, sent: int) -> int:
    """How many entries were refused; the intake names each by its index."""
    try:
        refused = json.loads(answer.body)["refused"]
        count = len(refused)
    except (KeyError, TypeError, ValueError):
        return 0
    if count:
        _log.error("%d entries of a report were refused, the first: %.300r", count, refused[0])
    return min(count, sent)
