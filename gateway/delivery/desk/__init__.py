"""Help desk senders: tickets go to the operator as TMF621 ticket, signed webhook or e-mail, each once."""
