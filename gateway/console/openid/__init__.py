"""Sign-in of staff by OpenID Connect: asks the provider, checks its tokens, maps groups to rights."""
