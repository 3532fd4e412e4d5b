"""Composition root: builds the container from settings; objects are put together only here."""
