"""Tests of `gateway.dialogs`."""
