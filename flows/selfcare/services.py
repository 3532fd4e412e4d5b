"""Services subscribed to: the plans and options of the account's lines (B22)."""

from flows.domain.account_activity import account_activity
from flows.domain.actions import ActionRequest, Outcome, define_action
from menus.model.facts import Rows, Text

MAX_SERVICES = 20
MAX_NAME_CHARS = 40


async def list_services(request: ActionRequest) -> Outcome:
    """List what the account subscribes to, each name once."""
    account = request.require_subscriber().account
    found = await account_activity(request.billing_with("services")).list_services(account)
    names = list(dict.fromkeys(each.name[:MAX_NAME_CHARS] for each in found))[:MAX_SERVICES]
    rows = tuple((Text(name),) for name in names)
    return Outcome("ok" if rows else "none", {"services": Rows(("service",), rows)})


ACTIONS = {"services.list": define_action(list_services, "ok none", capability="services")}
