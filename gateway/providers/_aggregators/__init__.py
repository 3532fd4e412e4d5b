"""Interpreter of providers described as data, one YAML file each in `gateway/providers/aggregators`."""
