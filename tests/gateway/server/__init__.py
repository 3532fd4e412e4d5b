"""Tests of `gateway.server`."""
