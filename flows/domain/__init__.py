"""Domain layer: records, ports, actions, failures and retry policy, used by every other package."""
