"""The harness we ship: scripted and cassette models, the skipping clock, kills at every durable write."""
