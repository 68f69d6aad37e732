"""THE USE CASES: what can be asked of a run, checked and owned. The HTTP door and the SDK both call exactly these."""
