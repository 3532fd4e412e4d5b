"""Tests of `storage.privacy`."""
