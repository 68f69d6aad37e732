"""Code of others, run where it can do no harm.

A ladder of walls, each a `Sandbox`: Cloud Run's own sandboxes, bubblewrap, Landlock with seccomp. `ladder.chosen` tries them
with a canary when somebody first asks, and takes the first that stands; without one, the tools that run code are hidden.

What every rung promises: the workspace is the only place that keeps anything; no file of the host beyond the system's
programs can be read; no network but through the egress proxy; bounded time, memory, processes and file sizes; and nothing is
alive when the call is over.
"""
