"""State machine: screens, options and the transitions table of a compiled pack."""
