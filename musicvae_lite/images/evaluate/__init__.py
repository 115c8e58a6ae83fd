"""Measures of models of images."""
