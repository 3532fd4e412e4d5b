"""Tests of `gateway.providers`."""
