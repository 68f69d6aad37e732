"""`auteryn`, also as `python -m auteryn`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from auteryn.cli.root import run

    sys.exit(run())


if __name__ == "__main__":
    main()
