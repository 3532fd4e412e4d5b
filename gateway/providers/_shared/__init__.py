"""Parts shared by provider adapters: required fields, phone numbers, Retry-After, XML."""
