"""``musae play``: a page on which a model is heard, seen and steered, and the server behind it."""
