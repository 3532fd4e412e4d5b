"""Routes of the menu studio, all for the role `menus`."""

from collections.abc import Mapping

from aiohttp import web

from gateway.console.console_pipeline import ConsolePipeline, StaffResponder
from gateway.console.console_request import MENU_ROLES, MENUS_PATH
from gateway.console.studio.draft_page import DraftPage
from gateway.console.studio.draft_phones import DraftPhones
from gateway.console.studio.map_figures import MapFigures
from gateway.console.studio.operator_list import OperatorList
from gateway.console.studio.pack_forms import PackForms
from gateway.console.studio.pack_view import PackReader
from gateway.console.studio.phone_page import PhonePage
from gateway.console.studio.revision_page import RevisionPage
from gateway.console.studio.screen_map import ScreenMap
from gateway.console.studio.screen_page import ScreenPage
from gateway.console.studio.trial_page import TrialPage
from gateway.studio.revision_desk import RevisionDesk

OPERATOR_PATH = f"{MENUS_PATH}/{{operator:[a-z][a-z0-9-]*}}"
SCREEN_PATH = f"{OPERATOR_PATH}/screens/{{screen:[a-z][a-z0-9_.]*}}/{{language:[A-Za-z-]+}}"
REVISION_PATH = f"{OPERATOR_PATH}/revisions/{{number:[0-9]+}}"


def studio_routes(desk: RevisionDesk, phones: DraftPhones, pipeline: ConsolePipeline) -> list[web.RouteDef]:
    """Return the routes of the pages and of what they post."""
    reader = PackReader(desk)
    screens, forms, phone = ScreenPage(reader), PackForms(reader), PhonePage(reader, phones)
    draft, revision, operators = DraftPage(reader), RevisionPage(reader), OperatorList(desk)
    trial, screen_map = TrialPage(reader), ScreenMap(reader, MapFigures.with_clock(desk.clock))
    views: Mapping[str, StaffResponder] = {
        MENUS_PATH: operators.show_operators,
        OPERATOR_PATH: screen_map.show_map,
        SCREEN_PATH: screens.show_screen,
        f"{OPERATOR_PATH}/keywords": forms.show_keywords,
        f"{OPERATOR_PATH}/hours": forms.show_hours,
        f"{OPERATOR_PATH}/add-screen": forms.show_new_screen,
        f"{OPERATOR_PATH}/draft": draft.show_draft,
        f"{OPERATOR_PATH}/phone": phone.show_phone,
        f"{OPERATOR_PATH}/trial": trial.show_trial,
        REVISION_PATH: revision.show_revision,
    }
    posts: Mapping[str, StaffResponder] = {
        SCREEN_PATH: screens.save_texts,
        f"{SCREEN_PATH}/options": screens.change_option,
        f"{OPERATOR_PATH}/keywords": forms.save_keywords,
        f"{OPERATOR_PATH}/hours": forms.save_hours,
        f"{OPERATOR_PATH}/add-screen": forms.add_screen,
        f"{OPERATOR_PATH}/draft": draft.decide,
        f"{OPERATOR_PATH}/phone": phone.act,
        REVISION_PATH: revision.decide,
        f"{OPERATOR_PATH}/trial": trial.decide,
        f"{OPERATOR_PATH}/planned": operators.cancel_planned,
    }
    return [
        *(
            web.get(path, pipeline.view_handler(each, *MENU_ROLES), allow_head=False)
            for path, each in views.items()
        ),
        *(web.post(path, pipeline.submit_handler(each, *MENU_ROLES)) for path, each in posts.items()),
    ]
