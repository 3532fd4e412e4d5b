"""Links: who may hold a long-lived connection to a network, and which of its messages may come again."""
