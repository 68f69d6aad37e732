"""`auteryn chaos`: the crash matrix, on this machine."""

from __future__ import annotations

import click

from auteryn.cli import exits, output
from auteryn.cli.root import Common, common
