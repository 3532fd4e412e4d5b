"""Screen rendering: a session's current screen to a `Reply` that fits the channel.

`screen` writes pages of text for USSD and SMS, `voice` writes prompts and keys to gather for calls.
"""
