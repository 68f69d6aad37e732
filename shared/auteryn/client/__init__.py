"""THE SDK: what `from auteryn import Agent` gives."""
