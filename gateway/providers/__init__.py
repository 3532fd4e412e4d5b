"""Provider adapters: one module per HTTP provider, found by its file name.

In: a decoded request of the provider. Out: an `Inbound` event, and the bytes of the reply.
"""
