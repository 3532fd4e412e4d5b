"""Support console in SQL: sessions of staff, the story of one line, staff actions, erasures, queues."""
