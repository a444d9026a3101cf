"""Penalties: their value, and how each factor sees them while the other stays."""
