"""What all tables have in common: how their constraints are named, and where they are gathered."""

from sqlalchemy import BigInteger, Integer, MetaData

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints carry the same names everywhere, so that a later migration can find them."""

metadata = MetaData(naming_convention=NAMES)

ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""Only INTEGER counts up by itself on SQLite."""
