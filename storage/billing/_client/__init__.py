"""What HTTP billing backends share: client, OAuth token, documents, caching, options."""
