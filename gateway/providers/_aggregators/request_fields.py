"""Values of a request by our names, as a route of a description says."""

from collections.abc import Iterator, Mapping

from gateway.providers._aggregators.description import RouteForm, Source, SourceForm
from gateway.providers.contract import Webhook


def as_source_form(source: Source) -> SourceForm:
    """Return a source in its long form."""
    return source if isinstance(source, SourceForm) else SourceForm.model_validate({"at": source})


def read_values(route: RouteForm, webhook: Webhook, prefix: str = "") -> Mapping[str, str]:
    """Return the value of every name under `read`, empty where the request has none.

    `prefix` is put before names of body fields. Raises FieldTooLong for a value longer than any provider sends.
    """
    return {name: read_value(as_source_form(source), webhook, prefix) for name, source in route.read.items()}


def read_value(form: SourceForm, webhook: Webhook, prefix: str = "") -> str:
    """Return one value, mapped to our word."""
    found = (_find_field(name, webhook, prefix) for name in form.at)
    written = next(filter(None, found), "") or form.absent
    words = {theirs.casefold(): ours for theirs, ours in form.map.items()}
    return words.get(written.strip().casefold(), written if form.other is None else form.other)


def _find_field(place: str, webhook: Webhook, prefix: str) -> str:
    """Return the field at a place, empty where the request has none."""
    part, _, name = place.partition(":")
    if part == "path":
        return webhook.path.get(name, "")
    if part == "query":
        return webhook.query.get(name, "")
    return webhook.form.get(f"{prefix}{place}", "")


def element_prefixes(route: RouteForm, webhook: Webhook) -> Iterator[str]:
    """Yield the prefix of the fields of each element of the list `each`; once the empty one without a list."""
    if not route.each:
        yield ""
        return
    number = 0
    while any(name.startswith(f"{route.each}.{number}.") for name in webhook.form):
        yield f"{route.each}.{number}."
        number += 1
