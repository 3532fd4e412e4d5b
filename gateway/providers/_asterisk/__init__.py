"""Parts of the Asterisk adapter: the link, one call, its keys and its prompts."""
