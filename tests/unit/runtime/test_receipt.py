"""What a cancel says of each call of the open turn."""

from __future__ import annotations

import pytest

from auteryn.runtime.receipt import cancelled
from auteryn.schema import event as e
from unit.runtime.test_intake import NOW, in_the_middle


@pytest.mark.proves("P92", "L10", "L6")
def test_only_what_had_begun_is_unknown_and_what_has_an_answer_is_finished() -> None:
    run, thread, calls = in_the_middle()
    answer = e.CallAnswered(call=calls["sleeps"], tool="sleeps", output="rested")
    inner = e.CallStarted(call="call_inner", tool="pay", within=calls["proposed"])
    thread.add(e.Entry(seq=run.seq + 1, at=NOW, slice=1, commit="c", events=(answer, inner)))
    fact = cancelled(run, thread, "ann", 5)
    assert fact.receipt == e.Receipt(
        finished=("sleeps",), unknown=("begun", "pay"), aborted=("asks", "proposed"), children=tuple(run.shares)
    )
    assert (fact.by, fact.active_ms, fact.partial) == ("ann", 5, None)
