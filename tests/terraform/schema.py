"""The arguments of the resource types this project uses, in google provider 6.50: `schema.json`, one type a line.

Made once from a larger extract of the provider's own schema:

    python tests/terraform/schema.py FULL.json[.gz]

reads the types named in `infra/terraform/*.tf`. The shape of a block: `attrs` {name: {t: type, req, enum?}}, `blocks` {name:
{nest, max1, req, block}}, `computed` {name: type}, the attributes only the provider sets.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("schema.json")
FOLDER = Path(__file__).resolve().parents[2] / "infra" / "terraform"
DECLARED = re.compile(r'^(resource|data) "(google_\w+)"', re.M)

Block = dict[str, Any]


def load() -> dict[str, dict[str, Block]]:
    """{"resource": {type: block}, "data": {type: block}}."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def cut(full: Path) -> None:
    """`schema.json` holds the types this project uses, and no others."""
    whole = json.loads(gzip.decompress(full.read_bytes()) if full.suffix == ".gz" else full.read_text(encoding="utf-8"))
    used = {found for file in FOLDER.glob("*.tf") for found in DECLARED.findall(file.read_text(encoding="utf-8"))}
    rooms: list[str] = []
    for kind in ("data", "resource"):
        names = sorted(name for of, name in used if of == kind)
        lines = [f'"{name}":{json.dumps(whole[kind][name], separators=(",", ":"), sort_keys=True)}' for name in names]
        rooms.append(f'"{kind}":{{\n' + ",\n".join(lines) + "\n}")
    FILE.write_text("{\n" + ",\n".join(rooms) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    cut(Path(sys.argv[1]))
