"""The operators' service rules (T, M, R, F, B), each shown on its dialogs."""
