"""Parts of the Twilio adapter: SMS client, TwiML and request signature."""
