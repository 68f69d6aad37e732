"""The plugin, as users of the package take it."""

from auteryn.testing.emulators.plugin import firestore_emulator, project, pubsub_emulator

__all__ = ["firestore_emulator", "project", "pubsub_emulator"]
