"""Tests of `gateway.pages`."""
