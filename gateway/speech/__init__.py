"""Speech synthesis for calls: a program speaks texts, a bounded folder keeps the sounds.

Goes in: words and their language, or a recording. Comes out: a WAV file a switch can play, and its length.
"""
