"""`request_id`: of several creates with the same one only one succeeds."""

from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import duplicate_request, invalid
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.world import Account, AdGroup, Campaign


def request_mark(directory: Directory, params: Params, account: Account) -> dict[str, str]:
    """What the new entity's `native` keeps of the id given; nothing when none is.

    The id is written with the entity itself, so a create and the use of its id stand or fall together. Raises 40050 for
    an id that made a campaign or ad group of this advertiser, 40002 for one that is no 64-bit integer.
    """
    if not params.given("request_id"):
        return {}
    request_id = params.text("request_id")
    if not (request_id.isascii() and request_id.isdigit() and int(request_id) < 2**63):
        raise invalid("request_id: Not a valid 64-bit integer.")
    world = directory.kernel.world
    entities: list[Campaign | AdGroup] = [*world.campaigns.values(), *world.ad_groups.values()]
    made = (entity.native.get("request_id") for entity in entities if entity.account_id == account.id)
    if request_id in made:
        raise duplicate_request(request_id)
    return {"request_id": request_id}
