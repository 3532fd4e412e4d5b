"""Billing backends: one module per kind of BSS, found by its file name.

In: a location such as `tmf678+https://host` and the operator's `bss` settings. Out: an object that implements
the `Billing` port. `backend.connect_backend` chooses the module.
"""
