"""Consumption at the fake TM Forum server: TMF677 reports, and options as TMF637 products."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web

from gateway.demo.bss.data import BssRecords, BssRow
from gateway.demo.bss.tmf_resources import line_product

CONSUMPTION_PATH = "/tmf-api/usageConsumptionManagement/v2/usageConsumptionReport"
UNITS = {"call": "minute", "data": "MB", "text": "sms"}
USAGE_TYPES = {"call": "voice", "data": "data", "text": "sms"}
ReportHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def consumption_routes(
    records: BssRecords, require_token: Callable[[ReportHandler], ReportHandler]
) -> list[web.RouteDef]:
    """Return the route of consumption reports."""

    async def list_reports(request: web.Request) -> web.StreamResponse:
        number, is_unfiltered = request.query.get("publicIdentifier", ""), "no_filter" in records.faults
        users = sorted({row["user"] for row in records.rows.allowances})
        reports = [_report(records, user) for user in users if is_unfiltered or user == number]
        return web.json_response(reports)

    return [web.get(CONSUMPTION_PATH, require_token(list_reports))]


def _report(records: BssRecords, user: str) -> BssRow:
    """Return the report of one line."""
    own = [row for row in records.rows.allowances if row["user"] == user]
    return {"id": f"UC-{user}", "href": CONSUMPTION_PATH, "bucket": [_bucket(records, row) for row in own]}


def _bucket(records: BssRecords, row: BssRow) -> BssRow:
    """Return a bucket; the balance of an unlimited one is a word."""
    unit = UNITS[row["kind"]]
    end = {"endDateTime": records.day_start(row["renews_on"])}
    balance = {"remainingValueName": "Unlimited", "unit": unit, "validFor": end}
    if row["granted"] is not None:
        balance = {"remainingValue": row["granted"] - row["used"], "unit": unit, "validFor": end}
    counter = {"level": "global", "counterType": "used", "value": row["used"], "unit": unit}
    return {
        "usageType": USAGE_TYPES[row["kind"]],
        "isShared": False,
        "product": {"publicIdentifier": row["user"]},
        "bucketCounter": [counter],
        "bucketBalance": [balance],
    }


def option_product(records: BssRecords, person: BssRow) -> BssRow:
    """Return a line's option: a product of the same number that began a day later."""
    options = [each["name"] for each in records.rows.services if each["user"] == person["msisdn"]][1:]
    later = {**person, "id": f"{person['id']}-option", "since": person["since"] + timedelta(days=1)}
    return {**line_product(records, later), "name": options[0] if options else ""}
