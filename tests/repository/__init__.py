"""Tests of the repository itself: layering, code size, lock file, wheel."""
