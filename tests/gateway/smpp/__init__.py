"""Tests of `gateway.smpp`."""
