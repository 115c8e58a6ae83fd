"""The type checker that conftest.py puts around the modules whose shapes are annotated."""

from beartype import BeartypeConf, beartype

#: An int is a float, too (PEP 484).
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
