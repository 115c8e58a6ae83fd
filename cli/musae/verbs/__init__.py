"""The verbs of the command, imported one at a time."""
