"""Measures of models of music."""
