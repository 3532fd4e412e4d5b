"""Magic links: the token is in the URL's fragment, which is not sent to servers, and is posted."""

from aiohttp import web

from flows.domain.records import LinkPurpose, MagicLink, Secret
from gateway.pages import responses
from gateway.pages.form_input import FormInput
from gateway.pages.page_request import PageRequest

LINK_INPUT = FormInput(
    "link", 200, {"type": "text", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
)


async def find_link(request: PageRequest, token: Secret, purpose: LinkPurpose) -> MagicLink | None:
    """Return the link of the token at this operator, without using it; None when there is none."""
    link = await request.ports.ledger.find_link(token, purpose, request.now)
    return link if link and link.operator == request.operator else None


def posted_token(request: PageRequest) -> Secret:
    """Return the posted token; of a whole URL only the part after the # counts."""
    return Secret(request.form_fields.get(LINK_INPUT.name, "").strip().rpartition("#")[2])


def show_link_form(
    request: PageRequest, title: str, button: str, text: str = "", status: int = 200
) -> web.Response:
    """Show the page a link leads to: its script posts the fragment; without scripts the token is typed."""
    values = {"error": text, "inputs": (LINK_INPUT,), "button": button}
    return responses.html_page(request, "link.html", title, values, status)


def link_expired_page(request: PageRequest) -> web.Response:
    """Show one and the same page for every link that opens nothing, whatever the reason."""
    return responses.html_page(request, "link_expired.html", "page.gone_title", status=404)
