"""THE SHOW: `auteryn demo`, the real engine on a laptop without a key. Only the model is a script."""
