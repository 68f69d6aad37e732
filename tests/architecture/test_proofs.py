"""`shared/docs/proofs.md` is what the tests say, now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_of_proofs_is_current(tmp_path: Path) -> None:
    probe = f"""
import pathlib, sys, pytest
sys.path.insert(0, {str(ROOT / "tests")!r})
class Look:
    def pytest_collection_finish(self, session):
        plugin = next(p for p in session.config.pluginmanager.get_plugins() if hasattr(p, "proven") and hasattr(p, "table"))
        pathlib.Path({str(tmp_path / "table.md")!r}).write_text(plugin.table(plugin.proven), encoding="utf-8")
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", {str(ROOT / "tests")!r}], plugins=[Look()]))
"""
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    written = (ROOT / "shared" / "docs" / "proofs.md").read_text(encoding="utf-8")
    assert (tmp_path / "table.md").read_text() == written, "run: pytest --collect-only --proofs"
