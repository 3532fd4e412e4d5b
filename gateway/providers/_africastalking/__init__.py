"""Parts of the Africa's Talking adapter: SMS client and voice XML."""
