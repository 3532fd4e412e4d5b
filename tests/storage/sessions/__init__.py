"""Tests of `storage.sessions`."""
