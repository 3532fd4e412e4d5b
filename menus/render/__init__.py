"""Rendering: a screen and its facts to a reply that fits the channel."""
