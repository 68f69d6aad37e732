"""Runs over HTTP: what goes in, what comes out, what is refused."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from auteryn.api.limits import Quota
from auteryn.schema.plan import StepDraft
from auteryn.service.new import NewRun
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import call
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.tool import tool


@tool(effect="read", timeout=timedelta(days=30))
async def rest(ctx, hours: float) -> str:
    """Rest for some hours."""
    await ctx.clock.sleep(timedelta(hours=hours))
    return "rested"


@tool(effect="idempotent")
async def copy(ctx, old: str, new: str) -> str:
    """Copy a file."""
    with ctx.files.reading(old) as file:
        ctx.files.write(new, file.read())
    return "copied"


RESTING = (call("rest", hours=1), "rested")


@pytest.mark.proves("P40", "P41")
def test_a_run_is_started_looked_at_and_its_result_fetched(opened):
    async def main():
        async with opened(RESTING, tools=[rest]) as office, await office.client() as http:
            made = await http.post("/v1/runs", json={"input": "Rest", "mode": "deep"})
            run = made.json()
            assert (made.status_code, run["status"], run["mode"]) == (201, "pending", "deep")
            assert made.headers["location"] == f"/v1/runs/{run['id']}"
            early = await http.get(f"/v1/runs/{run['id']}/result?wait=5")
            assert (early.status_code, early.json()["status"]) == (202, "running")
            await office.world.ended(run["id"])
            for _ in range(2):
                end = await http.get(f"/v1/runs/{run['id']}/result")
                assert (end.status_code, end.json()["result"], end.json()["detail"]) == (200, "rested", "Day 1 of 7")
            listed = (await http.get("/v1/runs")).json()["runs"]
            assert [(one["id"], one["status"]) for one in listed] == [(run["id"], "completed")]

    skipping(main())


@pytest.mark.proves("P55", "P86", "P88")
def test_progress_metrics_and_credits_are_the_specifications_payloads(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            steps = [{"description": "a"}, {"description": "b", "depends_on": [1]}]
            run = (await http.post("/v1/runs", json={"steps": steps})).json()["id"]
            await office.world.ended(run)
            progress = (await http.get(f"/v1/runs/{run}/progress")).json()
            assert list(progress) == ["plan_id", "status", "current_step", "total_steps", "steps"]
            assert progress["steps"][0] == {"id": 1, "status": "completed", "result": "done"}
            assert (await http.get(f"/v1/plans/{progress['plan_id']}")).json()["id"] == run
            metrics = (await http.get(f"/v1/runs/{run}/metrics")).json()
            assert list(metrics) == ["duration", "llm_calls", "tool_calls", "tokens_used", "credits_consumed"]
            credits = (await http.get(f"/v1/runs/{run}/credits")).json()
            assert credits["total_credits"] == sum(credits["breakdown"].values()) == metrics["credits_consumed"]
            assert len((await http.get(f"/v1/runs/{run}/children")).json()["runs"]) == 2

    skipping(main())


@pytest.mark.proves("L15")
def test_a_body_that_does_not_come_is_given_up_and_one_that_comes_in_time_is_taken(opened):
    async def main():
        async def body(pause: float):
            yield b'{"input": '
            await asyncio.sleep(pause)
            yield b'"Do it"}'

        async with opened() as office, await office.client() as http:
            json = {"Content-Type": "application/json"}
            slow = await http.post("/v1/runs", content=body(60), headers=json)
            assert (slow.status_code, slow.json()["code"]) == (408, "too_slow")
            assert slow.headers["connection"] == "close"
            assert (await office.desk.runs()).runs == ()
            assert (await http.post("/v1/runs", content=body(20), headers=json)).status_code == 201

    skipping(main())


@pytest.mark.proves("L15")
@pytest.mark.parametrize(
    ("media", "begun"),
    [
        ("application/json", b'{"inp'),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="run"\r\n\r\n{"inp'),
    ],
)
def test_a_caller_that_hangs_up_in_its_own_sentence_leaves_no_run_and_no_alarm(opened, caplog, media: str, begun: bytes):
    async def main():
        async with opened() as office:
            _, key = await office.key()
            pieces = [{"type": "http.request", "body": begun, "more_body": True}, {"type": "http.disconnect"}]
            said = list[dict[str, Any]]()

            async def receive():
                return pieces.pop(0)

            async def send(message):
                said.append(message)

            headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", media.encode())]
            where = {"path": "/v1/runs", "raw_path": b"/v1/runs", "query_string": b""}
            scope = {"type": "http", "method": "POST", "scheme": "http", "http_version": "1.1", "headers": headers, **where}
            await office.door(scope, receive, send)
            assert (said[0]["status"], json.loads(said[1]["body"])["code"]) == (400, "cut_off")
            assert (await office.desk.runs()).runs == ()

    skipping(main())
    assert [one for one in caplog.records if one.levelname in ("WARNING", "ERROR")] == []


def test_the_same_key_is_the_same_run_and_another_request_with_it_is_refused(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            once = {"Idempotency-Key": "k1"}
            runs = [(await http.post("/v1/runs", json={"input": "Do it"}, headers=once)).json()["id"] for _ in range(3)]
            assert len(set(runs)) == len((await http.get("/v1/runs")).json()["runs"]) == 1
            other = await http.post("/v1/runs", json={"input": "Do that"}, headers=once)
            assert (other.status_code, other.json()["code"]) == (409, "wrong_state")

    skipping(main())


@pytest.mark.proves("L15")
@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"input": ""}, "input", "say what to do"),
        ({"input": 7}, "input", "expected `str`"),
        ({"input": "x", "modus": "fast"}, "modus", "not known"),
        ({"input": "x", "mode": "slow"}, "mode", "none of auto, deep, fast"),
        ({"input": "x", "budget": {"credits": -1}}, "budget.credits", "more than 0"),
        ({"input": "x", "budget": {"llm_calls": "9"}}, "budget.llm_calls", "expected `int"),
        ({"input": "x", "max_duration": "8d"}, "max_duration", "longer than a run can live"),
        ({"steps": [{"description": "a"}, {"descriptio": "b"}]}, "steps[1].descriptio", "not known"),
        ({"steps": [{"description": "a", "depends_on": [9]}]}, "step 1.depends_on", "no step of this plan"),
        ({"input": "x", "files": {"a.txt": "no base64!"}}, "files[...]", "base64"),
        ({"input": "x", "files": {"../a.txt": "aGk="}}, "files['../a.txt']", "no name for a file"),
        ({"input": "x", "files": "/etc/passwd"}, "files", "expected `object`"),
        ({"input": "x", "deliverables": [{"path": "a", "min_bytes": "many"}]}, "deliverables[0].min_bytes", "expected `int`"),
    ],
)
def test_bad_input_is_refused_with_field_value_and_rule_and_nothing_is_made(opened, body, field, rule):
    async def main():
        async with opened() as office, await office.client() as http:
            refused = await http.post("/v1/runs", json=body)
            problem = refused.json()
            assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
            assert problem["field"] == field and rule in problem["rule"], problem
            assert (await office.desk.runs()).runs == ()

    skipping(main())


@pytest.mark.proves("L15")
def test_what_cannot_be_read_at_all_is_refused_as_precisely(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            sent = [
                (b"{", {}, 422),
                (b'{"input": "\xff"}', {}, 422),
                (b"[" * 100_000, {}, 422),
                (b'{"input": "x", "input": "y"}', {}, 422),
                (b'{"input": "x", "budget": {"credits": 1, "credits": 100}}', {}, 422),
                (b'{"input": "x"}', {"Content-Type": "text/plain"}, 415),
                (b" " * 32_000_001, {}, 413),
            ]
            for body, headers, status in sent:
                json = {"Content-Type": "application/json", **headers}
                assert (await http.post("/v1/runs", content=body, headers=json)).status_code == status
            for query in ("limit=0", "limit=x", "limit=1&limit=2", "status=asleep", "nonsense=1"):
                refused = await http.get(f"/v1/runs?{query}")
                assert (refused.status_code, refused.json()["code"]) == (422, "invalid"), query
            assert (await http.get("/v1/run")).status_code == 404
            wrong = await http.put("/v1/runs", json={})
            assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")
            assert (await office.desk.runs()).runs == ()

    skipping(main())


def test_runs_are_listed_page_by_page_without_gap_or_duplicate(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            made = [(await http.post("/v1/runs", json={"input": f"Task {n}"})).json()["id"] for n in range(7)]
            seen, cursor = [], ""
            while True:
                page = (await http.get(f"/v1/runs?limit=3{cursor}")).json()
                seen += [one["id"] for one in page["runs"]]
                if page["next"] is None:
                    break
                cursor = f"&cursor={page['next']}"
            assert seen == made[::-1]
            await office.world.ended(made[0])
            assert (await http.get("/v1/runs?status=failed&status=paused")).json()["runs"] == []

    skipping(main())


def test_files_come_with_the_task_and_go_out_whole_or_in_part(opened):
    async def main():
        script = (call("copy", old="in/a.txt", new="out/ü.html"), call("artifact_publish", path="out/ü.html"), "done")
        async with opened(script, tools=[copy, artifact_publish]) as office, await office.client() as http:
            files = {"in/a.txt": b64encode(b"0123456789").decode()}
            run = (await http.post("/v1/runs", json={"input": "Do it", "mode": "deep", "files": files})).json()["id"]
            await office.world.ended(run)
            [found] = (await http.get(f"/v1/runs/{run}/artifacts")).json()["artifacts"]
            where = f"/v1/runs/{run}/artifacts/{found['id']}"
            whole = await http.get(where)
            assert whole.content == (await http.get(f"/v1/runs/{run}/artifacts/out/ü.html")).content == b"0123456789"
            assert whole.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%BC.html"
            assert "sandbox" in whole.headers["content-security-policy"]
            for asked, got, shown in [
                ("bytes=2-4", b"234", "bytes 2-4/10"),
                ("bytes=7-", b"789", "bytes 7-9/10"),
                ("bytes=-3", b"789", "bytes 7-9/10"),
                ("bytes=8-99", b"89", "bytes 8-9/10"),
                ("bytes=-99", b"0123456789", "bytes 0-9/10"),
            ]:
                part = await http.get(where, headers={"Range": asked, "If-Range": whole.headers["etag"]})
                assert (part.status_code, part.content, part.headers["content-range"]) == (206, got, shown), asked
            for asked in ("bytes=4-2", "bytes=1-2,4-5", "lines=1-2", "bytes=-"):
                assert (await http.get(where, headers={"Range": asked})).status_code == 200
            beyond = await http.get(where, headers={"Range": "bytes=10-"})
            assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
            old = await http.get(where, headers={"Range": "bytes=2-4", "If-Range": '"another"'})
            assert (old.status_code, old.content) == (200, b"0123456789")
            assert (await http.get(where, headers={"If-None-Match": whole.headers["etag"]})).status_code == 304
            head = await http.head(where)
            assert (head.status_code, head.headers["content-length"]) == (200, "10")
            assert (await http.get(f"/v1/runs/{run}/artifacts/other")).status_code == 404

    skipping(main())


def test_every_version_of_a_file_can_be_had_by_its_id_also_a_steps(opened):
    def script(ask):
        if not ask.task.startswith("write") or ask.turn == 4:
            return "done"
        write = call("file_write", path="a.html", content=f"v{ask.turn}", mode="overwrite")
        return call("artifact_publish", path="a.html") if ask.turn % 2 else write

    async def main():
        async with opened(script, tools=[file_write, artifact_publish]) as office, await office.client("viewer") as http:
            run = await office.world.start("Do it", plan=[StepDraft(description="write")])
            await office.world.ended(run)
            where = f"/v1/runs/{run}"
            old, new = (await http.get(f"{where}/versions/a.html")).json()["versions"]
            assert (await http.get(f"{where}/versions/{old['artifact']['id']}")).json()["versions"] == [old, new]
            assert [one["id"] for one in (await http.get(f"{where}/artifacts")).json()["artifacts"]] == [new["artifact"]["id"]]
            was, now = [await http.get(f"{where}/artifacts/{one['artifact']['id']}") for one in (old, new)]
            assert (was.status_code, was.content, now.content) == (200, b"v0", b"v2")
            assert was.headers["etag"] == f'"{old["artifact"]["sha256"]}"' != now.headers["etag"]
            assert {**was.headers, "etag": ""} == {**now.headers, "etag": ""}
            part = await http.get(str(was.url), headers={"Range": "bytes=1-", "If-Range": was.headers["etag"]})
            assert (part.status_code, part.content) == (206, b"0")
            shown = await http.get(f"{where}/preview/{old['artifact']['id']}")
            assert shown.json()["kind"] == "page"
            async with await office.client(owner="mallory") as other:
                for what in ("artifacts", "versions"):
                    assert (await other.get(f"{where}/{what}/{old['artifact']['id']}")).status_code == 404
            other_run = await office.world.start("Do nothing")
            await office.world.ended(other_run)
            assert (await http.get(f"/v1/runs/{other_run}/artifacts/{old['artifact']['id']}")).status_code == 404

    skipping(main())


def test_what_a_reader_has_already_is_not_sent_again(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            run = (await http.post("/v1/runs", json={"input": "What is X?"})).json()["id"]
            await office.world.ended(run)
            first = await http.get(f"/v1/runs/{run}")
            again = await http.get(f"/v1/runs/{run}", headers={"If-None-Match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")

    skipping(main())


@pytest.mark.proves("P92", "P95", "L10")
def test_a_run_is_steered_paused_resumed_and_stopped(opened):
    async def main():
        clock = SkippingClock()
        async with opened(RESTING, tools=[rest], clock=clock) as office, await office.client() as http:
            run = (await http.post("/v1/runs", json={"input": "Rest", "mode": "deep"})).json()["id"]
            await clock.sleep(timedelta(minutes=1))
            assert (await http.post(f"/v1/runs/{run}/pause")).status_code == 200
            await clock.sleep(timedelta(minutes=1))
            assert (await http.get(f"/v1/runs/{run}")).json()["state"] == "paused"
            once = {"Idempotency-Key": "m1"}
            for _ in range(2):
                said = await http.post(f"/v1/runs/{run}/messages", json={"text": "Look at Bonn"}, headers=once)
                assert said.status_code == 200
            said = await http.post(f"/v1/runs/{run}/messages", json={"text": "And at Berlin"}, headers=once)
            assert said.status_code == 200
            unheard = (await http.get(f"/v1/runs/{run}/messages")).json()["messages"]
            assert [one["text"] for one in unheard] == ["Look at Bonn", "And at Berlin"]
            assert (await http.post(f"/v1/runs/{run}/resume", json={})).status_code == 200
            await clock.sleep(timedelta(minutes=1))
            for _ in range(2):
                assert (await http.post(f"/v1/runs/{run}/cancel")).status_code == 200
                end = await http.get(f"/v1/runs/{run}/result?wait=10")
                assert (end.status_code, end.json()["status"]) == (200, "cancelled")
            late = await http.post(f"/v1/runs/{run}/messages", json={"text": "Too late"})
            assert (late.status_code, late.json()["code"]) == (409, "wrong_state")
            again = await http.post(f"/v1/runs/{run}/retry")
            assert again.status_code == 201 and again.json()["id"] != run
            assert again.json()["labels"]["retry_of"] == run

    skipping(main())


def test_an_owner_has_room_for_so_many_runs_and_a_repeat_needs_none(opened):
    async def main():
        async with opened(RESTING, tools=[rest], quota=Quota(runs=2)) as office, await office.client() as http:
            body, keys = {"input": "Rest", "mode": "deep"}, ("a", "b", "c")
            made = [await http.post("/v1/runs", json=body, headers={"Idempotency-Key": key}) for key in keys]
            assert [one.status_code for one in made] == [201, 201, 429]
            assert int(made[2].headers["retry-after"]) > 0
            repeat = await http.post("/v1/runs", json=body, headers={"Idempotency-Key": "a"})
            assert (repeat.status_code, repeat.json()["id"]) == (201, made[0].json()["id"])
            async with await office.client(owner="bob") as bob:
                assert (await bob.post("/v1/runs", json=body)).status_code == 201
            await http.post(f"/v1/runs/{made[0].json()['id']}/cancel")
            await office.world.ended(made[0].json()["id"])
            assert (await http.post("/v1/runs", json=body)).status_code == 201

    skipping(main())


def test_runs_that_are_begun_at_the_same_moment_have_no_more_room_than_one_after_the_other(opened):
    async def main():
        async with opened(RESTING, tools=[rest], quota=Quota(runs=2)) as office, await office.client() as http:
            sent = [http.post("/v1/runs", json={"input": "Rest", "mode": "deep"}) for _ in range(5)]
            found = sorted(one.status_code for one in await asyncio.gather(*sent))
            assert found == [201, 201, 429, 429, 429]
            assert len((await office.desk.runs()).runs) == 2
            assert (await http.post("/v1/runs", json={"input": "Rest", "mode": "wrong"})).status_code == 422
            for run in (await office.desk.runs()).runs:
                await http.post(f"/v1/runs/{run.id}/cancel")
                await office.world.ended(run.id)
            assert (await http.post("/v1/runs", json={"input": "Rest", "mode": "deep"})).status_code == 201

    skipping(main())


def test_who_asks_too_often_is_told_when_to_come_back(opened):
    async def main():
        clock = SkippingClock()
        quota = Quota(requests_per_minute=60, burst=3)
        async with opened(quota=quota, clock=clock) as office, await office.client() as http:
            assert [(await http.get("/v1/tools")).status_code for _ in range(4)] == [200, 200, 200, 429]
            async with await office.client(owner="bob") as bob:
                assert (await bob.get("/v1/tools")).status_code == 200
            await clock.sleep(timedelta(seconds=int((await http.get("/v1/tools")).headers["retry-after"])))
            assert (await http.get("/v1/tools")).status_code == 200

    skipping(main())


@pytest.mark.proves("P84")
def test_logs_are_read_page_by_page_above_a_level(opened):
    async def main():
        async with opened(RESTING, tools=[rest]) as office, await office.client() as http:
            run = (await office.desk.create(NewRun(input="Rest", mode="deep"))).id
            await office.world.ended(run)
            paged, after = [], 0
            while after is not None:
                page = (await http.get(f"/v1/runs/{run}/logs?level=debug&limit=2&after={after}")).json()
                paged += page["lines"]
                after = page["next"]
            assert paged == (await http.get(f"/v1/runs/{run}/logs?level=debug")).json()["lines"]
            info = (await http.get(f"/v1/runs/{run}/logs")).json()["lines"]
            assert info == [line for line in paged if line["level"] != "debug"] != paged
            assert (await http.get(f"/v1/runs/{run}/logs?level=loud")).status_code == 422

    skipping(main())


def test_a_fault_of_ours_says_nothing_of_its_inside(opened, caplog):
    async def main():
        async with opened() as office, await office.client() as http:

            async def broken(*_):
                raise RuntimeError("secret of the inside")

            office.world.host.engine.services.store.docs = broken
            failed = await http.get("/v1/asks")
            assert (failed.status_code, failed.json()["code"]) == (500, "error")
            assert "secret" not in failed.text and "secret" in caplog.text

    skipping(main())


@pytest.mark.proves("L15")
def test_a_key_that_says_nothing_makes_no_repeat_of_a_request(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            run = await office.world.start("Look")
            for path, body in (
                ("/v1/runs", {"input": "Look"}),
                ("/v1/asks", {"message": "Go?", "options": ["Yes", "No"]}),
                (f"/v1/runs/{run}/fork", {}),
                (f"/v1/runs/{run}/messages", {"text": "Look at Bonn"}),
                ("/v1/asks/ask_1/answer", {"value": "Yes"}),
            ):
                for key in ("", "k" * 201):
                    refused = await http.post(path, json=body, headers={"Idempotency-Key": key})
                    assert (refused.status_code, refused.json()["field"]) == (422, "Idempotency-Key"), path
            assert [one.id for one in (await office.desk.runs()).runs] == [run]

    skipping(main())


CRLF = b"\r\n"


@pytest.mark.proves("L15", "P37")
def test_files_come_in_a_form_as_well_and_a_form_that_is_wrong_is_refused(opened):
    def form(*parts: tuple[str, str | None, bytes]) -> list:
        return [(name, (file, body, "application/octet-stream" if file else "application/json")) for name, file, body in parts]

    async def main():
        async with opened() as office, await office.client() as http:
            run, a, b = (
                ("run", None, b'{"input": "Read", "files": {"c": "aGk="}}'),
                ("files", "a.txt", b"A"),
                ("files", "d/b", b""),
            )
            made = await http.post("/v1/runs", files=form(run, a, b))
            assert made.status_code == 201, made.text
            files = office.world.host.engine.files.of(made.json()["id"])
            assert [files.read(name) for name in ("a.txt", "c", "d/b")] == [b"A", b"hi", b""]
            for wrong, field in (
                (form(a), "input"),
                (form(run, a, a), "files['a.txt']"),
                (form(run, ("other", "x", b"x")), "other"),
                (form(("run", None, b'{"input": "x", "files": []}'), a), "files"),
                (form(("run", None, b"[]"), a), "body"),
                (form(("run", None, b"{"), a), "body"),
                (form(run, ("files", "../x", b"x")), "files['../x']"),
            ):
                refused = await http.post("/v1/runs", files=wrong)
                assert (refused.status_code, refused.json().get("field")) == (422, field), refused.text
            broken = {"Content-Type": "multipart/form-data"}
            assert (await http.post("/v1/runs", content=b"--x", headers=broken)).status_code == 422
            whole = http.build_request("POST", "/v1/runs", files=form(run, a)).read()
            kind = {"Content-Type": f"multipart/form-data; boundary={whole[2:].partition(CRLF)[0].decode()}"}
            for cut in (len(whole) - 4, len(whole) - 20, whole.index(b'{"input"') + 60, whole.index(b"a.txt")):
                refused = await http.post("/v1/runs", content=whole[:cut], headers=kind)
                assert (refused.status_code, refused.json()["field"]) == (422, "body"), whole[:cut]
            huge = await http.post("/v1/runs", files=form(run, ("files", "a.txt", b"x" * 32_000_001)))
            assert huge.status_code == 413
            for codec, name in (("unicode_escape", rb"\\ud800"), ("idna", b"xn--\xff")):  # names that are no text
                odd = {"Content-Type": f"{kind['Content-Type']}; charset={codec}"}
                refused = await http.post("/v1/runs", content=whole.replace(b"a.txt", name), headers=odd)
                assert (refused.status_code, refused.json()["code"]) == (415, "wrong_media"), refused.text
            elsewhere = await http.post("/v1/asks", files=form(run))
            assert elsewhere.status_code == 415
            assert len((await office.desk.runs()).runs) == 1

    skipping(main())
