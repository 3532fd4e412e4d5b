"""Tests of `flows.domain`."""
