"""One succeeding call of every built-in tool, by family (see `unit.tools.bench`)."""
