"""The operations that are served: each a thin translation to what the application does."""
