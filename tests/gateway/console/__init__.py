"""Tests of the support console."""
