"""Services that several flows share: eligibility, bill media, code delivery, file links, bill notices."""
