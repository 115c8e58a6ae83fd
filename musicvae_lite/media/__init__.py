"""Reading and writing what people make: notes and sound."""
