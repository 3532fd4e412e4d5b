"""Dialogs: the .dialog conversation format, its player, and a sandbox to play it in."""
