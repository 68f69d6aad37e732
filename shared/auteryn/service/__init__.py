"""THE USE CASES: create, read, stream, answer, steer, cancel, with validation and ownership."""
