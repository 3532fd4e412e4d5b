"""HTTP edge: webhooks, authentication and admission, body decoding, client address, BSS events."""
