"""`auteryn dev`: the whole cloud shape on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from datetime import timedelta
from pathlib import Path

import click

from auteryn.cli import exits, output
from auteryn.cli.home import going
from auteryn.cli.root import Common, common
from auteryn.errors import Invalid, Refused
from auteryn.policy.durations import parse

TOLD = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_CLOUD_LOCATION")
"""What opens the model: it reaches the functions as it is."""


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Of the API; 0: any that is free.")
@click.option("--scripted", metavar="TEXT", help="No model: every task is answered with this text.")
@click.option("--skip", metavar="SPAN", help="After the start, move the local cloud's time forward by this much (6h, 2d).")
@common
@click.pass_obj
def dev(common: Common, port: int, scripted: str | None, skip: str | None) -> int:
    """Start api, dispatch and jobs with emulators and stand-ins for everything they use in Google Cloud.

    The model is what the environment names: a key, GOOGLE_GEMINI_BASE_URL, or --scripted. Everything is in memory and ends
    with Ctrl-C. It runs in a checkout of the repository.
    """
    return going(_dev(common, port, scripted, parse(skip, "--skip") if skip else timedelta()))


async def _dev(common: Common, port: int, scripted: str | None, skip: timedelta) -> int:
    from auteryn.compose import model_access
    from auteryn.testing.emulators.cloud import LocalCloud, source
    from auteryn.testing.emulators.servers import EmulatorMissing, stop_all
    from auteryn.testing.gemini import ScriptedGemini

    if not (source() / "api" / "main.py").exists():
        raise Refused("auteryn dev runs in a checkout of the repository: the folder `functions` is not in the package")
    environ = {name: os.environ[name] for name in TOLD if name in os.environ}
    if scripted is None and not model_access():
        raise Invalid("model", None, "needs GEMINI_API_KEY, GOOGLE_GEMINI_BASE_URL, or --scripted TEXT")
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(stop_all)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="auteryn-dev-", ignore_cleanup_errors=True)))
        if scripted is not None:
            server = await stack.enter_async_context(ScriptedGemini([scripted]))
            environ |= {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": server.url}
        try:
            cloud = await stack.enter_async_context(LocalCloud(folder, environ, port=port))
        except EmulatorMissing as error:
            raise Refused(str(error)) from error
        if skip:
            cloud.clock.jump(skip)
        _greet(common, cloud.url, await cloud.key(), folder)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    return exits.DONE


def _greet(common: Common, url: str, key: str, folder: Path) -> None:
    if common.json:
        output.json_line({"url": url, "key": key, "logs": str(folder)})
        return
    output.text(f"API: {url}\nKey: {key}")
    if not common.quiet:
        auth = f'-H "Authorization: Bearer {key}"'
        body = '{"input": "What is 6 times 7?"}'
        output.text(f"Try: curl {auth} -H 'Content-Type: application/json' -d '{body}' {url}/v1/runs")
        click.echo(f"Logs are in {folder}. Ctrl-C ends it all.", err=True)
