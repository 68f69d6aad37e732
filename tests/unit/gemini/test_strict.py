"""What the adapter sends breaks no rule of the API, on any generation of models, over several turns and in bad weather."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from auteryn.adapters.gcp.model import GeminiModel
from auteryn.errors import ModelRefused, RateLimited
from auteryn.policy.models import CHAINS, thinking_config
from auteryn.ports.model import Declaration, ModelRequest
from auteryn.schema.message import Reply
from unit.gemini.checks import programs
from unit.gemini.wire import NoWaiting

MODELS = [
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3-flash-preview",
    "gemini-3.1-pro-preview",
    "gemini-3.1-flash-lite",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.6-flash",
    "gemini-3.7-flash",
    "gemini-3.8-flash",
    "gemini-4-argon",
    "gemini-4-neon",
]
CALCULATE = Declaration(
    name="calculate",
    description="Works an expression out.",
    parameters={"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]},
)


@contextmanager
def strict(scenario: str, **options: str) -> Iterator[Any]:
    """The strict server playing `scenario`; `base_url` is where, `world` what it saw."""
    _, scenarios, serving = programs("gemini_strict", "rules", "scenario", "server")
    server, server_url = serving.start(scenarios.SCENARIOS[scenario](0, **options))
    server.base_url = server_url
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


FAULTS = "1:http=503;2:http=429,retry=3;3:cut=0;4:finish=MALFORMED_FUNCTION_CALL;5:finish=EMPTY;6:error_event=503"


@pytest.fixture(scope="module")
def facts() -> Iterator[Any]:
    with strict("facts") as server:
        yield server


@pytest.fixture(scope="module")
def calls_in_bad_weather() -> Iterator[Any]:
    with strict("loop", faults=FAULTS) as server:
        yield server


def ask(server: Any, drive: Callable[[GeminiModel], Awaitable[Any]], model: str = "gemini-3-flash-preview") -> Any:
    """What `drive` makes of an adapter in front of the server."""

    async def run() -> Any:
        gemini = GeminiModel("any", server.base_url, resolve=lambda role: (model,), thinking=thinking_config, clock=NoWaiting())
        try:
            return await drive(gemini)
        finally:
            await gemini.close()

    return asyncio.run(run())


def request(**options: Any) -> ModelRequest:
    contents = [{"role": "user", "parts": [{"text": "What is the capital of Australia?"}]}]
    return ModelRequest(**{"role": "fast", "system": "Be brief.", "contents": contents, "tools": (CALCULATE,), **options})


def blemishes(server: Any, model: str, requests: int) -> list[Any]:
    """Every request of this model that broke a rule, made the scenario stop or was warned of; and a wrong number of them."""
    rows = [row for row in server.world.rows if row.get("model") == model]
    wrong = [row for row in rows if row["verdict"] in ("refused", "problem") or row["warnings"]]
    return wrong if len(rows) == requests else [*wrong, f"{len(rows)} requests, not {requests}"]


@pytest.mark.proves("P9", "P10", "P15", "P16")
@pytest.mark.parametrize("model", MODELS)
def test_both_modes_and_the_classifier_break_no_rule(facts: Any, model: str):
    schema = {"type": "object", "properties": {"mode": {"type": "string", "enum": ["FAST", "DEEP"]}}, "required": ["mode"]}

    async def drive(gemini: GeminiModel) -> list[Reply]:
        return [
            await gemini.generate(request(thinking_tokens=1_024, include_thoughts=True)),
            await gemini.generate(request(thinking_tokens=16_384, tool_mode="none", max_output_tokens=8_000)),
            await gemini.generate(request(thinking_tokens=0, json_schema=schema)),
        ]

    fast, deep, classified = ask(facts, drive, model)
    assert blemishes(facts, model, requests=3) == []
    assert fast.text == deep.text == "Canberra is the capital of Australia."
    assert fast.thoughts.startswith("**Recalling the fact**") and deep.thoughts == ""
    assert classified.text == '{"mode": "FAST"}'


@pytest.mark.parametrize("model", MODELS)
def test_a_request_that_searches_the_web_breaks_no_rule(model: str):
    async def drive(gemini: GeminiModel) -> Reply:
        return await gemini.generate(request(tools=(), google_search=True, thinking_tokens=1_024))

    with strict("facts") as server:
        assert ask(server, drive, model).text == "Canberra is the capital of Australia."
        assert blemishes(server, model, requests=1) == []


@pytest.mark.proves("L9")
@pytest.mark.parametrize("model", MODELS)
def test_signatures_and_ids_survive_ten_turns_of_calls_in_bad_weather(calls_in_bad_weather: Any, model: str):
    async def drive(gemini: GeminiModel) -> int:
        contents, attempts = list(request().contents), 0
        for _ in range(10):
            reply = await gemini.generate(request(contents=contents, role="deep", thinking_tokens=16_384))
            attempts += reply.attempts
            answers = [{"name": call.name, "response": {"output": 2}, "id": call.wire_id} for call in reply.calls]
            told = [{key: value for key, value in answer.items() if value is not None} for answer in answers]
            contents += [reply.content, {"role": "user", "parts": [{"functionResponse": answer} for answer in told]}]
        return attempts

    assert ask(calls_in_bad_weather, drive, model) == 16
    assert blemishes(calls_in_bad_weather, model, requests=16) == []


def test_every_default_model_exists():
    rules, _, _ = programs("gemini_strict", "rules", "scenario", "server")
    assert {model for chain in CHAINS.values() for model in chain} <= rules.MODELS.keys()


@pytest.mark.proves("L9")
def test_a_history_without_its_signature_is_refused_by_name():
    async def drive(gemini: GeminiModel) -> str:
        reply = await gemini.generate(request())
        call = reply.content["parts"][-1]["functionCall"]
        bare = {"role": "model", "parts": [{"functionCall": call}]}
        answer = {"functionResponse": {"name": call["name"], "id": call["id"], "response": {"output": 2}}}
        with pytest.raises(ModelRefused, match="thought_signature") as caught:
            await gemini.generate(request(contents=[*request().contents, bare, {"role": "user", "parts": [answer]}]))
        return caught.value.reason

    with strict("loop") as server:
        assert ask(server, drive) == "signature"


@pytest.mark.proves("F31")
def test_the_days_quota_is_told_from_the_minutes():
    async def drive(gemini: GeminiModel) -> RateLimited:
        with pytest.raises(RateLimited) as caught:
            await gemini.generate(request())
        return caught.value

    with strict("facts", faults="0:http=429,retry=9,per=Day") as server:
        limited = ask(server, drive)
    assert (limited.per_day, limited.retry_after) == (True, timedelta(seconds=9))
    which = "generate_content_paid_tier_requests: 60"
    assert str(limited).endswith(f"the quota of the day is used up ({which}); https://ai.dev/rate-limit shows it")


def test_a_wrong_key_is_named(facts: Any):
    async def drive(_: GeminiModel) -> str:
        wrong = GeminiModel("bad-key", facts.base_url)
        with pytest.raises(ModelRefused, match="API key not valid") as caught:
            await wrong.generate(request())
        await wrong.close()
        return caught.value.reason

    assert ask(facts, drive, "gemini-3-flash-preview") == "no_key"


@contextmanager
def metadata(monkeypatch: pytest.MonkeyPatch, statuses: list[int]) -> Iterator[list[str]]:
    """What tells a process in Cloud Run who it is. The tokens it gave are listed; each is over when it comes. `statuses`: of
    the next answers, then 200."""
    from google.auth.compute_engine import _metadata

    given = list[str]()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said: dict[str, Any] = {"email": "slice@p", "scopes": [], "aliases": ["default"]}
            status = 200
            if "/token" in self.path:
                status = statuses.pop(0) if statuses else 200
                said = {"access_token": f"token-{len(given)}", "expires_in": 60, "token_type": "Bearer"}
                given.extend([said["access_token"]] if status == 200 else [])
            self.send_response(status)
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        host = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        monkeypatch.setenv("CLOUDSDK_CONFIG", "/nowhere")
        monkeypatch.setenv("GCE_METADATA_IP", host)
        monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)  # as GCE_METADATA_HOST does, read when it is imported
        try:
            yield given
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.proves("F31")
def test_vertex_is_asked_with_tokens_of_the_service_account_that_are_renewed_also_after_an_outage(
    facts: Any, monkeypatch: pytest.MonkeyPatch
):
    """As in a job of two hours, whose tokens live for one; nothing but the environment says where the model is."""
    model = "gemini-3.1-pro-preview"
    environ = {
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_CLOUD_PROJECT": "shop-123456",
        "GOOGLE_CLOUD_LOCATION": "europe-west4",
        "GOOGLE_VERTEX_BASE_URL": facts.base_url,
    }

    async def drive() -> None:
        clock = NoWaiting()
        gemini = GeminiModel.from_environment(environ, resolve=lambda role: (model,), thinking=thinking_config, clock=clock)
        for _ in range(3):
            assert (await gemini.generate(request(tools=()))).text == "Canberra is the capital of Australia."
        assert len(clock.slept) == 1
        await gemini.close()

    with metadata(monkeypatch, [200, 502]) as given:
        asyncio.run(drive())
    assert len(given) == 3
    asked = [row for row in facts.world.rows if "/projects/shop-123456/locations/europe-west4/" in row["path"]]
    assert [row["verdict"] for row in asked] == ["ok"] * 3
