"""What provider adapters share: required fields, phone numbers, Retry-After, XML."""
