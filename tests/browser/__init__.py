"""Browser tests: the phone page in a real Chromium."""
