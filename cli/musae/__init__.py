"""The command ``musae``."""
