"""Development tools: install from the lock, renew it, audit it, measure the parts of `make test`.

They run before anything is installed, so they import the standard library only.
"""
