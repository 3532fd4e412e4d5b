"""Tests of providers described as data."""
