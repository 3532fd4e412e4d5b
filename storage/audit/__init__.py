"""Audit log: the tamper-evident chain of entries and the write-behind buffer in front of it."""
