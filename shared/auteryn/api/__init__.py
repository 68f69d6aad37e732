"""THE DOOR: the use cases over HTTP. Who calls, what they may, what they sent; nothing is decided here that a desk decides."""
