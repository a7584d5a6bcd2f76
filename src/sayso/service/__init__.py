"""The service: HTTP in, the application's answers out."""
