"""Browser phone of the demo: handsets that speak the providers' webhooks, and the map page."""
