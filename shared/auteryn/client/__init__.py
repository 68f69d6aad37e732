"""THE SDK: `Agent` and `Task`, a synchronous face of the use cases."""
