"""Shared support of the tests: sandbox, servers, phones, clients."""
