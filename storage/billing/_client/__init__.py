"""Shared parts of the HTTP billing backends: client, OAuth token, documents, caching, options.

In: a BSS's address and settings. Out: JSON and files within limits, or a failure of `flows.domain.failures`.
"""
