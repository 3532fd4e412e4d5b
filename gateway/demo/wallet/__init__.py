"""Stand-in for wallets: MTN's and Orange's interfaces over one book of requests, with faults."""
