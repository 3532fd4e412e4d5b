"""SQLAlchemy metadata of all tables and the naming convention of their constraints."""

from sqlalchemy import BigInteger, Integer, MetaData

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Naming convention: a constraint has the same name on every engine, so that migrations can refer to it."""

metadata = MetaData(naming_convention=NAMING_CONVENTION)

ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""Type of generated row ids: 64 bits; INTEGER on SQLite, where no other type auto-increments."""
