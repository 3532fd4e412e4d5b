"""Tests of `storage.sql`."""
