"""One folder, no account, no server."""
