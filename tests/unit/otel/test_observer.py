"""What was committed is what is traced: one trace a tree, across slices and processes, and nothing when it is off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from auteryn.adapters.otel.observer import OtelObserver
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import Run
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import lookup
from auteryn.testing.scripted import Say, call
from auteryn.testing.world import World
from auteryn.tools.time import wait
from auteryn.tools.tool import tool


@tool(effect="read")
async def broken(what: str) -> str:
    """Break."""
    raise ValueError("secret words of a tool")


def script(ask: Any) -> Any:
    if ask.task.startswith("look"):
        return call("lookup", what="secret words of a task") if ask.turn == 0 else "found"
    if ask.turn == 0:
        return call("wait", until="1h")
    return call("broken", what="x") if ask.turn == 1 else "secret words of an answer"


def traced(folder: Path, **options: Any) -> tuple[Run, list[ReadableSpan]]:
    """A plan of three steps, two of them parallel; then a tool that waits: several slices, in two processes."""
    spans = InMemorySpanExporter()
    plan = [
        StepDraft(description="look A"),
        StepDraft(description="look B"),
        StepDraft(description="look C", depends_on=(1, 2)),
    ]

    async def story() -> Run:
        first = OtelObserver(processor=SimpleSpanProcessor(spans), reader=InMemoryMetricReader(), **options)
        world = World(folder, model=script, tools=[lookup, wait, broken], observer=first)
        await world.open()
        run = await world.start("Compare", plan=plan)
        await world.until(run, lambda found: found.turns == 1 and found.status == "waiting")
        await world.close()
        finished = list(spans.get_finished_spans())
        world.settings.observer = OtelObserver(processor=SimpleSpanProcessor(kept), reader=InMemoryMetricReader(), **options)
        await world.open()
        await world.after(timedelta(hours=2))
        ended = await world.ended(run)
        await world.close()
        found.extend([*finished, *kept.get_finished_spans()])
        return ended

    found, kept = list[ReadableSpan](), InMemorySpanExporter()
    run = skipping(story())
    return run, found


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[ReadableSpan]]:
    return traced(tmp_path_factory.mktemp("home"))


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_one_trace_holds_the_whole_tree_with_parents_that_exist(drawn: tuple[Run, list[ReadableSpan]]) -> None:
    run, spans = drawn
    assert run.status == "completed" and run.slice >= 2
    assert {span.context.trace_id for span in spans} == {spans[0].context.trace_id}
    by_id = {span.context.span_id: span for span in spans}
    assert len(by_id) == len(spans), "no span was drawn twice"
    [top] = [span for span in spans if span.parent is None]
    assert top.name == "invoke_workflow Compare"
    for span in spans:
        assert span is top or (span.parent and span.parent.span_id in by_id), span.name
        assert span.start_time and span.end_time and span.start_time <= span.end_time
    kinds = Counter(attributes(span)["gen_ai.operation.name"] for span in spans)
    assert kinds["invoke_workflow"] == kinds["plan"] == 1
    assert kinds["execute_tool"] == run.usage.tool_calls and kinds["chat"] == run.usage.llm_calls
    steps = [span for span in spans if span.name.startswith("invoke_agent look")]
    assert [by_id[span.parent.span_id].name for span in steps if span.parent] == ["plan"] * 3
    first, second = sorted(steps, key=lambda span: span.start_time or 0)[:2]
    assert first.start_time and second.start_time and first.end_time and second.start_time <= first.end_time, "side by side"
    chat = next(span for span in spans if attributes(span)["gen_ai.operation.name"] == "chat")
    assert chat.parent and by_id[chat.parent.span_id].name.startswith("invoke_agent slice")


def test_a_slice_is_linked_to_the_one_before_it_in_whatever_process_that_was(drawn: tuple[Run, list[ReadableSpan]]) -> None:
    run, spans = drawn
    slices = [span for span in spans if "auteryn.slice" in attributes(span) and attributes(span)["gen_ai.agent.id"] == run.id]
    slices.sort(key=lambda span: attributes(span)["auteryn.slice"])
    assert len(slices) == run.slice >= 3
    for before, after in pairwise(slices):
        assert [link.context.span_id for link in after.links] == [before.context.span_id]
    assert slices[0].links == ()


def test_every_span_names_its_conversation_and_credits_add_up(drawn: tuple[Run, list[ReadableSpan]]) -> None:
    run, spans = drawn
    assert {attributes(span)["gen_ai.conversation.id"] for span in spans} == {run.id}
    leaves = [span for span in spans if attributes(span)["gen_ai.operation.name"] in ("chat", "execute_tool")]
    total = sum(attributes(span)["auteryn.credits"] for span in leaves)
    assert round(total * 1000) == run.usage.credits.llm + run.usage.credits.tools
    chat = next(span for span in leaves if attributes(span)["gen_ai.operation.name"] == "chat")
    assert attributes(chat)["gen_ai.provider.name"] == "gcp.gemini" and attributes(chat)["gen_ai.request.model"] == "scripted"
    [failed] = [span for span in leaves if span.name == "execute_tool broken"]
    assert attributes(failed)["error.type"] == "failed" and not failed.status.is_ok


def test_what_was_said_is_left_out_until_it_is_asked_for(drawn: tuple[Run, list[ReadableSpan]], tmp_path: Path) -> None:
    _, spans = drawn
    assert "secret words" not in "".join(span.to_json() for span in spans)
    _, told = traced(tmp_path, content=True)
    text = "".join(span.to_json() for span in told)
    assert "secret words of an answer" in text and "secret words of a task" in text and "secret words of a tool" in text


def test_metrics_count_tokens_time_credits_and_runs(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()

    async def story() -> Run:
        watched = OtelObserver(processor=SimpleSpanProcessor(InMemorySpanExporter()), reader=reader)
        lines = iter([call("lookup", what="x"), Say(finish="malformed_call"), "done"])  # the second is paid for, and of no use
        async with World(tmp_path, model=lambda _: next(lines), tools=[lookup], observer=watched) as world:
            ended = await world.ended(await world.start("Count"))
            data = reader.get_metrics_data()
            assert data
            found.update(json.loads(data.to_json()))
            return ended

    found: dict[str, Any] = {}
    run = skipping(story())
    metrics = {one["name"]: one["data"]["data_points"] for one in found["resource_metrics"][0]["scope_metrics"][0]["metrics"]}
    tokens = Counter[str]()
    for point in metrics["gen_ai.client.token.usage"]:
        tokens[point["attributes"]["gen_ai.token.type"]] += point["sum"]
    assert tokens == {"input": run.usage.tokens.prompt, "output": run.usage.tokens.output}
    credits = {point["attributes"]["auteryn.kind"]: round(point["value"] * 1000) for point in metrics["auteryn.credits"]}
    assert credits == {"llm_calls": run.usage.credits.llm, "tool_calls": run.usage.credits.tools}
    assert [point["value"] for point in metrics["auteryn.runs"]] == [1]
    assert sum(point["count"] for point in metrics["gen_ai.client.operation.duration"]) == 3


def test_a_broken_exporter_harms_no_run(tmp_path: Path) -> None:
    class Broken(SimpleSpanProcessor):
        def on_start(self, *args: Any, **more: Any) -> None:
            raise RuntimeError("the collector is on fire")

    async def story() -> str:
        watched = OtelObserver(processor=Broken(InMemorySpanExporter()), reader=InMemoryMetricReader())
        async with World(tmp_path, model=["done"], observer=watched) as world:
            return (await world.ended(await world.start("Do it"))).status

    assert skipping(story()) == "completed"


def test_it_is_off_and_unloaded_unless_the_environment_names_an_endpoint() -> None:
    assert OtelObserver.from_environment({}) is None
    assert OtelObserver.from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}) is None
    assert OtelObserver.from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}) is not None
    code = (
        "import sys, auteryn.compose as c; s = c.Settings.from_environment({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://x'})"
        "; print(s.observer is not None, [m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True []"


def test_a_process_that_is_told_to_stop_sends_what_it_has_seen(tmp_path: Path) -> None:
    """A run is at work; SIGTERM; the collector has the turn that was committed before the exporter's own interval is over."""
    got = list[bytes]()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    program = (
        "import sys, asyncio, signal\n"
        "from pathlib import Path\n"
        "from auteryn.testing.world import World\n"
        "from auteryn.testing.scripted import call\n"
        "from auteryn.testing.scenarios import lookup\n"
        "from auteryn.compose import Settings\n"
        "from auteryn.tools.tool import tool\n"
        "@tool(effect='read')\n"
        "async def rest() -> str:\n"
        "    'Rest.'\n"
        "    print('resting', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "    return 'x'\n"
        "async def main():\n"
        "    observer = Settings.from_environment().observer\n"
        "    world = World(Path(sys.argv[1]), model=[call('lookup', what='x'), call('rest')], tools=[lookup, rest],\n"
        "                  real_time=True, observer=observer)\n"
        "    task = asyncio.current_task()\n"
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)\n"
        "    async with world:\n"
        "        await world.ended(await world.start('Rest'))\n"
        "asyncio.run(main())\n"
    )
    where = f"http://127.0.0.1:{server.server_address[1]}"
    environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": where, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout and process.stdout.readline().strip() == "resting"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
        server.shutdown()
        server.server_close()
        thread.join()
    assert any(b"execute_tool lookup" in body for body in got)
