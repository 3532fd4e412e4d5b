"""Subscriber web pages: bill, file downloads, e-mail confirmation, postal address."""
