"""HOW IT LASTS: the slice, what is due, dispatch."""
