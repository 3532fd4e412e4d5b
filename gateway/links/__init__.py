"""Links: connections to networks, each held by one process; their events become turns and receipts."""
