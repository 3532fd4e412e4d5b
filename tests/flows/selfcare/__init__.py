"""Tests of `flows.selfcare`."""
