"""Required form fields of a webhook."""

from collections.abc import Mapping

from flows.domain.failures import BadRequest


def require_field(form: Mapping[str, str], name: str) -> str:
    """Return the field's value; BadRequest, naming only the field, when it is absent or blank."""
    value = form.get(name, "")
    if not value.strip():
        raise BadRequest(f"{name} is missing")
    return value
