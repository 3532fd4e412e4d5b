"""Domain: records, ports, actions, failures, retry policy. What every other package may rely on."""
