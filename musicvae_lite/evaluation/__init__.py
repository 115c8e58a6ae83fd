"""Measures of trained models on what they have not seen: one module a kind of model."""
