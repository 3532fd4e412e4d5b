"""Tests of `storage.demo`."""
