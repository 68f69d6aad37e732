"""The scripted model is deterministic, follows conversations, and is as strict about its history as the real one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from auteryn.errors import RateLimited, Unavailable
from auteryn.ports.model import Model, ModelRequest
from auteryn.schema.message import Call, Reply
from auteryn.schema.record import from_json, to_json
from auteryn.testing.scripted import Ask, Say, ScriptedModel, call
from unit.gemini.wire import NoWaiting


def start(task: str = "one and one?") -> list[Any]:
    return [{"role": "user", "parts": [{"text": task}]}]


def generate(model: Model, contents: list[Any], **options: Any) -> Reply:
    return asyncio.run(model.generate(ModelRequest(**{"role": "fast", "system": "", "contents": contents, **options})))


def answered(contents: list[Any], reply: Reply, *results: Any) -> list[Any]:
    """The conversation after the reply: its calls answered, or a next message."""
    answers = [
        {"functionResponse": {"name": each.name, "id": each.wire_id, "response": {"output": result}}}
        for each, result in zip(reply.calls, results, strict=True)
    ]
    return [*contents, reply.content, {"role": "user", "parts": answers or [{"text": "go on"}]}]


def test_a_list_gives_each_conversation_its_turns_in_order():
    model = ScriptedModel([call("calculate", expression="1+1"), "two"])
    one, other = start("a"), start("b")
    first = generate(model, one)
    assert first.calls == (Call(name="calculate", args={"expression": "1+1"}, wire_id="calculate-0-0"),)
    assert generate(model, other).calls == first.calls
    assert generate(model, answered(one, first, 2)).text == "two"
    assert model.calls == 3


def test_a_resumed_conversation_goes_on_where_it_was_in_a_new_process():
    first = generate(ScriptedModel(["one", "two", "three"]), start())
    stored = from_json(to_json(first), Reply)
    assert generate(ScriptedModel(["one", "two", "three"]), answered(start(), stored)).text == "two"


def test_a_function_sees_the_task_the_turn_and_the_results():
    seen: list[Any] = []

    def script(ask: Ask) -> Any:
        seen.append((ask.task, ask.turn, ask.results, ask.new_results, ask.attempt))
        return "done" if ask.results else ask.call("calculate", expression="1+1")

    model = ScriptedModel(script)
    reply = generate(model, start())
    assert generate(model, answered(start(), reply, 2)).text == "done"
    assert seen == [
        ("one and one?", 0, {}, [], 0),
        ("one and one?", 1, {"calculate": [{"output": 2}]}, [("calculate", {"output": 2})], 0),
    ]


def test_an_error_in_a_list_is_met_once():
    model = ScriptedModel(
        [RateLimited("later", retry_after=timedelta(hours=1)), "one", Unavailable("busy"), "two"], clock=NoWaiting()
    )
    with pytest.raises(RateLimited):
        generate(model, start())
    reply = generate(model, start())
    assert reply.text == "one"
    assert generate(model, answered(start(), reply)).text == "two"


@pytest.mark.proves("L9")
@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts[0].update(text="forged"),
        lambda parts: parts[1].pop("thoughtSignature"),
        lambda parts: parts.reverse(),
        lambda parts: parts[1]["functionCall"]["args"].update(expression="2+2"),
    ],
    ids=["text", "signature", "order", "arguments"],
)
def test_an_answer_that_comes_back_changed_is_an_error(change: Any):
    model = ScriptedModel([["I see.", call("calculate", expression="1+1")], "two"])
    reply = generate(model, start())
    contents = msgspec.json.decode(msgspec.json.encode(answered(start(), reply, 2)))
    change(contents[1]["parts"])
    if "thoughtSignature" not in str(contents[1]):
        assert generate(model, contents).tokens.prompt > 0  # a stranger's turn, as after a compaction: taken as it is
        return
    with pytest.raises(AssertionError, match="did not come back as it was answered"):
        generate(model, contents)


@pytest.mark.proves("L7")
def test_calls_must_be_answered_one_by_one_in_order():
    model = ScriptedModel([[call("a"), call("b")], "done"])
    reply = generate(model, start())
    whole = answered(start(), reply, 1, 2)
    for broken in (whole[-1]["parts"][:1], whole[-1]["parts"][::-1]):
        with pytest.raises(AssertionError, match="must answer exactly the calls"):
            generate(model, [*whole[:-1], {"role": "user", "parts": broken}])
    assert generate(model, whole).text == "done"


@pytest.mark.proves("L9")
def test_strict_checks_the_whole_history():
    contents, lenient, strict = start(), ScriptedModel(["a", "b", "c"]), ScriptedModel(["a", "b", "c"], strict=True)
    for _ in range(2):
        contents = answered(contents, generate(lenient, contents))
    assert generate(strict, contents).text == "c"
    contents[1] = {**contents[1], "parts": [{**contents[1]["parts"][0], "text": "forged"}]}
    assert generate(lenient, contents).text == "c"
    with pytest.raises(AssertionError, match=r"contents\[1\]"):
        generate(strict, contents)


def test_prompt_tokens_follow_the_history_and_shrink_with_it():
    model = ScriptedModel(lambda ask: "x" * 4_000)
    contents, prompts = start(), []
    for _ in range(5):
        reply = generate(model, contents)
        prompts.append(reply.tokens.prompt)
        contents = answered(contents, reply)
    growth = {later - earlier for earlier, later in pairwise(prompts)}
    assert all(1_000 <= step <= 1_100 for step in growth)
    compacted = [*start("a summary"), *contents[-2:]]
    assert generate(model, compacted).tokens.prompt < prompts[1] + 100
    assert generate(model, compacted).content["parts"][0]["text"] == "x" * 4_000


def test_the_same_request_gets_the_same_bytes_in_every_process():
    replies = [generate(ScriptedModel(lambda ask: Say(text="same", calls=(call("a", b=1),))), start()) for _ in range(2)]
    assert to_json(replies[0]) == to_json(replies[1])
