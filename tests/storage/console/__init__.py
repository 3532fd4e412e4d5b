"""Tests of what the support console reads and writes."""
