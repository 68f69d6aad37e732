"""The tests' own clock: days in no time, and real time for what is real."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any, cast

import pytest

from auteryn.testing.clock import skipping
from auteryn.tools.tool import tool

DAY = 86_400.0
ECHO = "import sys; print(sys.stdin.readline(), end='', flush=True); sys.stdin.read()"


async def echoing() -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", ECHO, stdin=pipe, stdout=pipe)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_days_pass_at_once_and_in_order() -> None:
    async def story() -> list[str]:
        came = list[str]()

        async def later(name: str, days: float) -> None:
            await asyncio.sleep(days * DAY)
            came.append(name)

        await asyncio.gather(later("c", 7), later("a", 1), later("b", 3))
        assert now() == 7 * DAY
        return came

    assert skipping(story()) == ["a", "b", "c"]


def test_no_time_out_jumps_over_what_a_child_process_does() -> None:
    async def story() -> None:
        child = await echoing()
        assert child.stdin and child.stdout
        async with asyncio.timeout(30):
            child.stdin.write(b"hello\n")
            assert await child.stdout.readline() == b"hello\n"
        assert now() < 30
        child.stdin.close()
        await child.wait()
        before = now()
        await asyncio.sleep(3 * DAY)
        assert now() - before == pytest.approx(3 * DAY)

    skipping(story())


def test_a_child_that_says_nothing_ends_at_its_time_out() -> None:
    async def story() -> None:
        child = await echoing()
        assert child.stdout
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await child.stdout.readline()
        child.kill()
        await child.wait()

    skipping(story())


def test_a_silent_server_ends_at_its_time_out_and_an_answer_is_waited_for() -> None:
    async def story() -> None:
        loop: Any = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        with loop.as_it_passes():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await reader.readline()
            theirs.send(b"here\n")
            async with asyncio.timeout(30):
                assert await reader.readline() == b"here\n"
        writer.close()
        theirs.close()

    skipping(story())


def test_time_stands_still_while_a_plain_tool_is_at_work() -> None:
    @tool(effect="read")
    def count() -> int:
        """Count for a while."""
        return sum(range(2_000_000))

    async def story() -> tuple[int, float]:
        tomorrow = asyncio.create_task(asyncio.sleep(DAY))
        counted = await count.outcome(cast("Any", None), {})
        tomorrow.cancel()
        return counted, now()

    assert skipping(story()) == (1_999_999_000_000, 0.0)
