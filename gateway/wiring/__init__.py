"""Composition root: builds the container from settings. Objects are put together here and nowhere else."""
