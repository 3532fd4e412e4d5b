"""Support of the fault tests: gateway processes, failpoints, history check."""
