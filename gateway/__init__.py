"""Gateway: HTTP edge, providers, delivery, pages, command line; the composition root puts all together."""
