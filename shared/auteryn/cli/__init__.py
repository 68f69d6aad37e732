"""THE TERMINAL: each command is a module of its own, imported when it is used, so that `--help` costs nothing."""
