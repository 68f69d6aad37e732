"""What a cancel found (L10)."""

from __future__ import annotations

from auteryn.agent.thread import Thread
from auteryn.schema import event as e
from auteryn.schema.run import Run


def cancelled(run: Run, thread: Thread, by: str, active_ms: int) -> e.RunCancelled:
    """The last fact of a cancelled run: every call of the open turn is listed as aborted, finished or unknown."""
    aborted, finished, unknown = list[str](), list[str](), list[str]()
    for call in thread.calls.values():
        if call.state == "answered":
            finished.append(call.name)
        elif call.begun:  # with intent: it may have taken effect (L6), also where its tool is not known here any more
            unknown.append(call.name)
        else:
            aborted.append(call.name)
            unknown += [inner.tool for inner in call.inner.values() if inner.answer is None]  # of a script, begun with intent
    receipt = e.Receipt(aborted=tuple(aborted), finished=tuple(finished), unknown=tuple(unknown), children=tuple(run.shares))
    return e.RunCancelled(by=by, receipt=receipt, partial=thread.last_text or None, active_ms=active_ms)
