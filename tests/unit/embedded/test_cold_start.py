"""What a process loads before its first model call; the time it takes is measured in `tests/bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ["bz2", "ctypes", "email", "google.genai", "httpx2", "importlib.metadata", "pydantic", "starlette", "zipfile"]


def test_a_home_is_opened_without_what_only_some_runs_want(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom auteryn import compose\n"
        "async def main():\n"
        f"    host = compose.embedded(compose.Settings(home=Path({str(tmp_path)!r})), builtin=False)\n"
        "    await host.start()\n    await host.close()\n"
        "asyncio.run(main())\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
