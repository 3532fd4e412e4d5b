"""Services that several flows use: eligibility, bill media, code delivery, file links, bill notices."""
