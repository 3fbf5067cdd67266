"""The contract of a log: its records and files, written and read."""
