"""Support console: pages for the operator's staff, on a listener of their own; off unless configured."""
