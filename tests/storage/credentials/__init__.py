"""Tests of `storage.credentials`."""
