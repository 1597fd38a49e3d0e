"""The one exception of this floor."""

from anchord.model.ede import Ede, EdeCode
from anchord.model.errors import AnchordError


class FormError(AnchordError):
    """Bytes that are no well-formed DNS message, or RDATA that does not fit its type."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, ede=Ede(EdeCode.INVALID_DATA, problem))
