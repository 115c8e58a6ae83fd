"""A model folder: weights, configuration, card."""
