"""The run's files as tables, and SQL over them."""
