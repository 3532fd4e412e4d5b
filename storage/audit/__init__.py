"""Audit log: the tamper-evident trail and the write-behind buffer in front of it."""
