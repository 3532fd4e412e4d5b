"""What only the Twilio adapter uses: its SMS client, TwiML and request signature."""
