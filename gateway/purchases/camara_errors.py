"""Errors of CAMARA carrier billing 0.5: status and code of each refusal, by its published description."""

from collections.abc import Mapping

from flows.domain.purchase_records import DenialReason, RefundRefusal


class CamaraError(Exception):
    """A refusal as the interface writes it: HTTP status, code, a sentence for the merchant's engineer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def as_body(self) -> dict[str, object]:
        """Return the body of the answer."""
        return {"status": self.status, "code": self.code, "message": self.message}


def invalid_argument(message: str) -> CamaraError:
    """Return the error of a malformed request."""
    return CamaraError(400, "INVALID_ARGUMENT", message)


DENIED = (403, "CARRIER_BILLING.PAYMENT_DENIED", "The payment is denied for this phone number.")
DENIAL_ERRORS: Mapping[DenialReason, tuple[int, str, str]] = {
    **dict.fromkeys(("unconfigured", "blocked", "category", "merchant", "sim"), DENIED),
    "code": (403, "CARRIER_BILLING.PAYMENT_DENIED", "This amount needs the payment to be prepared first."),
    "amount": (422, "CARRIER_BILLING.UNAUTHORIZED_AMOUNT", "The amount is above what one payment may be."),
    "cap": (
        *(422, "CARRIER_BILLING.USER_AMOUNT_THRESHOLD_OVERPASSED"),
        "The payment would pass the user's threshold.",
    ),
    "ineligible": (422, "SERVICE_NOT_APPLICABLE", "The service is not available for this phone number."),
}
"""Error by reason. What a subscriber has chosen stays unknown: blocked, category and merchant look alike."""
REFUND_ERRORS: Mapping[RefundRefusal, tuple[int, str, str]] = {
    "status": (422, "CARRIER_BILLING_REFUND.INVALID_PAYMENT_STATUS", "The payment is not completed."),
    "exhausted": (
        *(403, "CARRIER_BILLING_REFUND.PAYMENT_NOT_ELIGIBLE_FOR_REFUND"),
        "The payment has been given back already.",
    ),
    "amount": (422, "CARRIER_BILLING_REFUND.UNAUTHORIZED_AMOUNT", "The amount is more than is left."),
}
"""Error by what is against a refund."""
PERMISSION_DENIED = (403, "PERMISSION_DENIED", "The access token has not the scope for this.")
UNAUTHENTICATED = (401, "UNAUTHENTICATED", "The request has no valid access token.")
TOO_MANY_REQUESTS = (429, "TOO_MANY_REQUESTS", "The rate limit is reached.")
UNAVAILABLE = (503, "UNAVAILABLE", "Try again later; nothing was charged.")
NOT_FOUND = (404, "NOT_FOUND", "There is no such payment.")
NO_REFUND = (404, "NOT_FOUND", "There is no such refund of this payment.")
UNKNOWN_NUMBER = (404, "IDENTIFIER_NOT_FOUND", "The phone number is not known.")
MISSING_NUMBER = (422, "MISSING_IDENTIFIER", "The phone number is missing.")
REPEATED_CORRELATOR = (400, "INVALID_ARGUMENT", "clientCorrelator already exist on server")
REPEATED_REFERENCE = (409, "ALREADY_EXISTS", "One with this referenceCode exists already.")
CONFIRMED = (409, "CARRIER_BILLING.PAYMENT_CONFIRMED", "The payment is confirmed already.")
CANCELLED = (409, "CARRIER_BILLING.PAYMENT_CANCELLED", "The payment is cancelled already.")
VALIDATED = (409, "ALREADY_EXISTS", "The payment is not waiting for a code.")
WRONG_CODE = (400, "CARRIER_BILLING.INVALID_CODE", "The code is wrong.")
LOCKED_CODE = (400, "CARRIER_BILLING.VALIDATION_FAILED", "Too many wrong codes.")
WRONG_AUTHORIZATION = (400, "CARRIER_BILLING.INVALID_AUTHORIZATION_ID", "The authorizationId is wrong.")
