"""Privacy: data map, export and erase, number ownership, retention."""
