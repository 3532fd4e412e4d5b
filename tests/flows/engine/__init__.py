"""Tests of `flows.engine`."""
