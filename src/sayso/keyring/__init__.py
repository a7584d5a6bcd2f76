"""The keys that a gallery is encrypted with, kept apart from it."""
