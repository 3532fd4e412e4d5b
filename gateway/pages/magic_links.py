"""Links opened on a page: the token comes in the fragment, which never reaches a server, and is posted."""

from aiohttp import web

from flows.domain.records import Link, LinkPurpose, Secret
from gateway.pages import html, responses
from gateway.pages.html import Input
from gateway.pages.page_request import Visit

INPUT = Input("link", 200, 'type="text" autocomplete="off" autocapitalize="none" spellcheck="false"')


async def opened(visit: Visit, token: Secret, purpose: LinkPurpose) -> Link | None:
    """What the token opens here and now, without using it; None when nothing."""
    link = await visit.world.ledger.open_link(token, purpose, visit.now)
    return link if link and link.operator == visit.operator else None


def typed(visit: Visit) -> Secret:
    """The token posted; typed in full with its address, only what follows the # counts."""
    return Secret(visit.fields.get(INPUT.name, "").strip().rpartition("#")[2])


def asked(visit: Visit, title: str, button: str, text: str = "", status: int = 200) -> web.Response:
    """The page a link leads to: its module posts the fragment; without it the token is typed."""
    body = html.alert(visit, text) + html.form(visit, (INPUT,), button)
    return responses.page(visit, title, body, status, script=True)


def gone(visit: Visit) -> web.Response:
    """One page for every link that opens nothing, whatever the reason."""
    body = f'<div role="alert">{html.paragraph(visit, "page.gone")}</div>'
    return responses.page(visit, "page.gone_title", body, 404)
