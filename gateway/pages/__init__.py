"""Subscriber web pages: bill, file downloads, e-mail address and its confirmation, postal address."""
