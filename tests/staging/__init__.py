"""Staging: what compose.yaml describes, started as processes, and the drill of a provider that is out."""
