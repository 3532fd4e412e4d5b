"""Command line: one module per `dialtree` command, imported only when that command runs."""
