"""The audit log: what was done to the gallery and asked of it, in a chain that shows tampering."""
