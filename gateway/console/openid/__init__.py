"""Sign-in of staff by OpenID Connect: asks the identity provider, checks tokens, maps groups to rights."""
