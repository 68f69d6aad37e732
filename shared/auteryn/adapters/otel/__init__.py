"""OpenTelemetry: traces and metrics with the GenAI conventions, made from what was committed (`ports.observer`)."""
