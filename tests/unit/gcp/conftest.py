"""The fixtures that users of the package may take, too."""

from auteryn.testing.emulators.plugin import firestore_emulator, project, pubsub_emulator

__all__ = ["firestore_emulator", "project", "pubsub_emulator"]
