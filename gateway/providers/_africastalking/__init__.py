"""What only the Africa's Talking adapter uses: its SMS client and voice XML."""
