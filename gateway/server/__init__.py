"""Processes: the aiohttp applications, their OpenAPI document, and the process supervisor."""
