"""Processes: the aiohttp applications, their OpenAPI document, and the supervisor of several processes."""
