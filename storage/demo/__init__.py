"""Demo data set: invented subscribers, secrets, bills, usage and documents.

In: an operator's definition (`world.yaml`, `people.yaml`) and a time. Out: rows, or a filled database.
"""
