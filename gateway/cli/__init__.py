"""Command line: one module per `dialtree` command; only the module of the command that runs is imported."""
