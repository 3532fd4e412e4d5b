"""HTTP edge: webhook endpoints, authentication and admission, body decoding, client address, BSS events."""
