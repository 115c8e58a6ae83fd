"""The model of timbre."""
