"""Parts shared by provider adapters: required fields, call webhooks, phone numbers, Retry-After, XML."""
