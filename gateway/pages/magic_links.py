"""Magic links: the token is in the URL's fragment, which is not sent to servers, and is posted."""

from aiohttp import web

from flows.domain.records import Link, LinkPurpose, Secret
from gateway.pages import html, responses
from gateway.pages.html import Input
from gateway.pages.page_request import Visit

INPUT = Input("link", 200, 'type="text" autocomplete="off" autocapitalize="none" spellcheck="false"')


async def opened(visit: Visit, token: Secret, purpose: LinkPurpose) -> Link | None:
    """Return the link of the token at this operator, without using it; None when there is none."""
    link = await visit.world.ledger.open_link(token, purpose, visit.now)
    return link if link and link.operator == visit.operator else None


def typed(visit: Visit) -> Secret:
    """Return the posted token; of a whole URL only the part after the # counts."""
    return Secret(visit.fields.get(INPUT.name, "").strip().rpartition("#")[2])


def asked(visit: Visit, title: str, button: str, text: str = "", status: int = 200) -> web.Response:
    """Show the page a link leads to: its script posts the fragment; without scripts the token is typed."""
    body = html.alert(visit, text) + html.form(visit, (INPUT,), button)
    return responses.page(visit, title, body, status, script=True)


def gone(visit: Visit) -> web.Response:
    """Show one and the same page for every link that opens nothing, whatever the reason."""
    body = f'<div role="alert">{html.paragraph(visit, "page.gone")}</div>'
    return responses.page(visit, "page.gone_title", body, 404)
