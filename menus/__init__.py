"""Menu engine: packs compiled to a state machine, the pure step function and screen rendering.

In go an operator's pack folder, a session and an answer; out come the changed session and a `Reply`.
It imports no flow, no storage and no gateway code.
"""
