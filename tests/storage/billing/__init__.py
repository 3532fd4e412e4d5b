"""Tests of `storage.billing`."""
