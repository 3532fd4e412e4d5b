"""Tests of `gateway.smpp.wire`."""
