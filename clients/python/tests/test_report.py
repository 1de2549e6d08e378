"""Reports: sent in the background, again until they are taken, and counted where they are not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from issuer import Issuer, running, until

from gatelog import ClientCredentials, Reporter
from gatelog.credentials import TokenSource
from gatelog.report import Counts

SECRET = "a secret of the client"


def reporter(issuer: Issuer, **settings: Any) -> Reporter:
    tokens = TokenSource(issuer.url, ClientCredentials("cli_1", SECRET), "audit:write")
    settings.setdefault("linger", 0.02)
    return Reporter(issuer.url, tokens, **settings)


def entry(number: int) -> dict[str, Any]:
    return {"id": str(number)}


def test_entries_are_sent_in_order_in_batches_with_a_token_for_gatelog(issuer: Issuer) -> None:
    one = reporter(issuer, linger=0.2)

    for number in range(250):
        one.report(entry(number))
    one.close()

    assert issuer.entries == [entry(number) for number in range(250)]
    assert [len(report) for report in issuer.reports] == [100, 100, 50]
    assert issuer.tokens_asked == [{"grant_type": ["client_credentials"], "resource": ["gatelog"], "scope": ["audit:write"]}]
    assert set(issuer.authorizations) == {"Bearer machine-1"}
    assert one.counts == Counts(taken=250, refused=0, dropped=0, waiting=0)


def test_a_large_entry_makes_a_smaller_batch(issuer: Issuer) -> None:
    one = reporter(issuer, linger=0.2)

    for number in range(100):
        one.report({"id": str(number), "pad": "x" * 5000})
    one.close()

    assert [len(report) for report in issuer.reports] == [40, 40, 20] or len(issuer.reports) == 3
    assert len(issuer.entries) == 100


def test_a_report_is_sent_again_until_it_is_taken(issuer: Issuer) -> None:
    issuer.troubles = [(503, {"retry-after": "0"}), (500, {}), (429, {}), (302, {"location": "http://127.0.0.1:9"})]
    one = reporter(issuer)

    one.report(entry(1))

    until("the report is taken", lambda: one.counts.taken == 1)
    assert issuer.entries == [entry(1)]
    assert issuer.troubles == []


def test_a_token_that_is_refused_is_replaced_at_once(issuer: Issuer) -> None:
    issuer.troubles = [(401, {})]
    one = reporter(issuer)

    one.report(entry(1))

    until("the report is taken", lambda: one.counts.taken == 1)
    assert issuer.authorizations == ["Bearer machine-1", "Bearer machine-2"]


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_report_that_will_never_be_taken_holds_up_no_other(issuer: Issuer, status: int) -> None:
    issuer.troubles = [(status, {})]
    one = reporter(issuer)

    one.report(entry(1))
    until("the report is refused", lambda: one.counts.refused == 1)
    one.report(entry(2))
    one.close()

    assert issuer.entries == [entry(2)]
    assert one.counts == Counts(taken=1, refused=1, dropped=0, waiting=0)


def test_entries_that_the_door_refuses_are_counted(issuer: Issuer) -> None:
    issuer.refuse_index = 0
    one = reporter(issuer, linger=0.2)

    for number in range(3):
        one.report(entry(number))
    one.close()

    assert one.counts == Counts(taken=2, refused=1, dropped=0, waiting=0)


def test_what_is_no_json_is_refused_and_holds_up_nothing(issuer: Issuer) -> None:
    one = reporter(issuer)

    one.report({"id": float("nan")})
    until("it is refused", lambda: one.counts.refused == 1)
    one.report({"id": object()})
    one.report(entry(1))
    one.close()

    assert issuer.entries == [entry(1)]
    assert one.counts == Counts(taken=1, refused=2, dropped=0, waiting=0)


def test_a_queue_that_is_full_drops_what_comes_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with running(Issuer()) as gone:
        pass
    one = reporter(gone, capacity=10)

    for number in range(100):
        one.report(entry(number))

    assert one.counts.dropped == 90
    assert one.counts.waiting == 10
    one.close(0.1)
    assert one.counts == Counts(taken=0, refused=0, dropped=100, waiting=0)
    assert SECRET not in caplog.text
    assert len([record for record in caplog.records if "full" in record.message]) <= 1


def test_what_waits_is_sent_when_the_door_is_there_again() -> None:
    with running(Issuer()) as early:
        port = int(early.url.rsplit(":", 1)[1])
    one = reporter(early)
    for number in range(5):
        one.report(entry(number))

    with running(Issuer(), port) as late:
        until("everything is taken", lambda: one.counts.taken == 5)
        assert late.entries == [entry(number) for number in range(5)]


def test_closing_waits_no_longer_than_it_may_and_reporting_begins_anew(issuer: Issuer) -> None:
    issuer.troubles = [(503, {"retry-after": "60"})]
    one = reporter(issuer)
    one.report(entry(1))
    until("the report was refused", lambda: not issuer.troubles)

    started = time.monotonic()
    one.close(0.5)
    one.report(entry(2))
    one.close()

    assert time.monotonic() - started < 10
    assert issuer.entries == [entry(2)]
    assert one.counts == Counts(taken=1, refused=0, dropped=1, waiting=0)


def test_no_secret_is_shown() -> None:
    assert SECRET not in repr(ClientCredentials("cli_1", SECRET))
    with pytest.raises(ValueError, match="id and a secret"):
        ClientCredentials("cli_1", "")
