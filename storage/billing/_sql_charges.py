"""Charges of merchants in our own billing tables: an entry per key, shown under third-party services."""

from sqlalchemy import Connection, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.purchase_records import BillCharge
from storage.sql.engine import Database
from storage.sql.tables import billing_charges, billing_entries

INSERT_KEY = upsert(billing_charges).on_conflict_do_nothing().returning(billing_charges.c.key)
INSERT_ENTRY = insert(billing_entries)


class SqlChargeEntries:
    """The `ChargeBilling` part of the SQL backend."""

    _database: Database
    _operator: str

    async def add_charge(self, charge: BillCharge) -> bool:
        """Write the entry of a charge in one transaction, once per key; False when it was there already."""
        key = {"operator": self._operator, "key": charge.key, "at": charge.charged_on}
        entry = {
            "operator": self._operator,
            "account": charge.account,
            "what": "purchases",
            "at": charge.charged_on,
            "kind": charge.category,
            "amount": charge.amount,
            "label": charge.label,
            "quantity": 1,
        }

        def job(connection: Connection) -> bool:
            if connection.execute(INSERT_KEY, key).first() is None:
                return False
            connection.execute(INSERT_ENTRY, entry)
            return True

        return await self._database.write(job)
