"""Tests of `flows.services`."""
