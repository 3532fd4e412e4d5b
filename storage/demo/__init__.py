"""Demo data set: people, bills and usage for a database that the demo itself created."""
