"""The gateway layer: HTTP edge, providers, delivery, pages, command line and composition root."""
