"""Auteryn beside the bare-SQLite floor and its peers, in one run: ratios, not milliseconds.

    python tests/bench/run.py [w1 long w2 w3 w4 w6]          # tables on standard output

Reads the peers' harness where it lies (`AUTERYN_SHARED`, else `../shared`). `BENCH_ROOT` holds the peers' environments; they
are made on first use. `PEERS` picks some by name, `REPS` the repetitions. Reported, never asserted: a busy machine proves
nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS_FOLDER = Path(os.environ.get("AUTERYN_SHARED", ROOT.parent / "shared")) / "checks" / "peers"
BENCH_ROOT = Path(os.environ.setdefault("BENCH_ROOT", tempfile.gettempdir() + "/perf"))
PEERS = "auteryn,floor,langgraph sqlite,dbos sqlite"
PACKAGES = {"limits": [], "langgraph": ["langgraph", "langgraph-checkpoint-sqlite"], "dbos": ["dbos"]}


def main() -> None:
    """Make the environments, put our script beside the peers', run the harness."""
    for name, packages in PACKAGES.items():
        python = BENCH_ROOT / "v" / name / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
            if packages:
                subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    ours = BENCH_ROOT / "v" / "auteryn"
    if not ours.exists():
        ours.symlink_to(Path(sys.executable).parents[1])
    scripts = Path(tempfile.mkdtemp(prefix="peers"))
    for script in [*PEERS_FOLDER.glob("*.py"), HERE / "peer_auteryn.py"]:
        (scripts / script.name).symlink_to(script)
    os.environ.setdefault("PEERS", PEERS)
    os.environ["PEERS_FOLDER"] = str(PEERS_FOLDER)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.path.insert(0, str(PEERS_FOLDER))
    import bench

    bench.HERE = str(scripts)
    bench.PEERS["auteryn, fsync"] = ("auteryn", "auteryn", "full", None)
    bench.PEERS["auteryn, fsync, with its 67 tools"] = ("auteryn", "auteryn", "full+tools", None)  # no peer has any
    bench.PEERS["auteryn, no fsync"] = ("auteryn", "auteryn", "normal", None)
    try:
        for workload in sys.argv[1:] or ["w1", "long", "w2", "w3", "w4", "w6"]:
            if workload == "w6":
                waiting(bench)
            elif workload == "w4":
                cold(bench)
            else:
                getattr(bench, workload)()
    finally:
        for name in list(bench.procs):
            bench.stop(name)
    bench.table(bench.res)


def cold(bench) -> None:
    """A trivial run in a new process: start to first model call, peak memory."""
    labels, rows = bench.select(), {}
    for repetition in range(bench.REPS + 1):
        for label in labels:
            result, marks, _, spawned, _ = bench.go(label, "turns", 1)
            first = {kind: at for kind, _, at in reversed(bench.read_marks(marks))}
            if repetition:
                rows.setdefault(label, []).append(((first["model"] - spawned) / 1e6, result["rss_mb"]))
    for label, row in rows.items():
        bench.emit(w="w4", peer=label, first_model_ms=bench.med([r[0] for r in row]), rss_mb=bench.med([r[1] for r in row]))


def waiting(bench) -> None:
    """10,000 runs that wait for a person: like the peers' w6, for ours and the floor."""
    count = int(os.environ.get("WAITERS", "10000"))
    for label in ("floor: bare SQLite log, fsync", "auteryn, fsync"):
        result, _, folder, _, _ = bench.go(label, "wait", count, timeout=500)
        _, marks, folder, _, _ = bench.go(label, "wake", count, d=folder)
        rows, began, took = bench.read_marks(marks), None, []
        for kind, _, at in rows:
            if kind == "wake":
                began = at
            elif kind == "model" and began:
                took.append((at - began) / 1e6)
                began = None
        bench.emit(
            w="w6",
            peer=label,
            runs=count,
            create_s=round(result.get("wall", 0), 1),
            db_mb=round(bench.du(folder) / 2**20, 1),
            wake_ms=bench.med(took),
            rss_mb=result.get("rss_mb"),
        )


if __name__ == "__main__":
    main()
