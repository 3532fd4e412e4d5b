"""Map of an operator's screens: each with its words on a channel, and where its options lead."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest
from gateway.console.studio.map_figures import PERIODS, MapFigures, screen_share
from gateway.console.studio.pack_view import PackView
from gateway.console.studio.studio_page import StudioPage, operator_path, screen_path
from gateway.menu_map.screen_cards import list_cards
from menus.packfile.schema import CHANNELS


@dataclass(frozen=True, slots=True)
class ScreenMap(StudioPage):
    """The page."""

    figures: MapFigures

    async def show_map(self, request: ConsoleRequest) -> web.Response:
        """Show the screens of a channel in a language, all of them or those with the words searched for."""
        return await self.with_view(request, self._show_view)

    async def _show_view(self, request: ConsoleRequest, view: PackView) -> web.Response:
        channel = _chosen(request.query.get("channel", ""), CHANNELS)
        language = _chosen(request.query.get("language", ""), view.languages)
        period = _chosen(request.query.get("period", ""), list(PERIODS))
        figures = await self.figures.read_figures(request, view.operator, channel, period)
        words = " ".join(request.query.get("q", "")[:80].split())
        cards = list_cards(view.loaded.draft, view.loaded.menu, channel, language)
        values = {
            "view": view,
            "note": request.note,
            "channels": CHANNELS,
            "channel": channel,
            "menu_language": language,
            "words": words,
            "periods": PERIODS,
            "period": period,
            "figures": figures,
            "one_in": round(1 / figures.share),
            "screen_share": screen_share,
            "has_figures": lambda name: view.loaded.draft.nodes[name].is_waiting,
            "cards": [card for card in cards if card.has_words(words)],
            "operator_path": operator_path,
            "screen_path": screen_path,
        }
        return responses.staff_page(request, "studio/map.html", values)


def _chosen(value: str, known: Sequence[str]) -> str:
    """Return a value where it is known, else the first known one."""
    return value if value in known else known[0]
