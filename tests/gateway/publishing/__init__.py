"""Tests of `gateway.publishing`."""
