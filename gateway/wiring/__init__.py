"""Composition root: builds the application container from settings; the only place that creates objects."""
