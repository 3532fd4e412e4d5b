"""E-mail: addresses, the message as it is written, and what a relay's replies mean."""
