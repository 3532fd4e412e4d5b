"""Publishing: compiles packs with the flows' actions, and hot reload."""
