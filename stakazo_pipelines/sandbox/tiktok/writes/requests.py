"""`request_id`: of several creates with the same one only one succeeds."""

from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.tiktok.errors import duplicate_request, invalid
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.world import Account


class RequestIds:
    """Those used, by advertiser; they survive a restart through the kernel's notes."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        notes = kernel.notes("tiktok")
        self._used = {(data["account_id"], data["id"]) for data in notes if data["type"] == "request"}

    def check(self, params: Params, account: Account) -> str:
        """The id given, empty when none is. Raises 40050 for a used one, 40002 for one that is no 64-bit integer."""
        if not params.given("request_id"):
            return ""
        request_id = params.text("request_id")
        if not (request_id.isascii() and request_id.isdigit() and int(request_id) < 2**63):
            raise invalid("request_id: Not a valid 64-bit integer.")
        if (account.id, request_id) in self._used:
            raise duplicate_request(request_id)
        return request_id

    def keep(self, request_id: str, account: Account) -> None:
        """A create with this id has succeeded."""
        if request_id:
            self._used.add((account.id, request_id))
            self._kernel.note("tiktok", {"type": "request", "account_id": account.id, "id": request_id})
