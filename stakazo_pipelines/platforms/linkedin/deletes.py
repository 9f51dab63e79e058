"""Deleting: LinkedIn takes a DELETE for drafts only; everything else is marked PENDING_DELETION and goes later."""

from stakazo_pipelines.errors import NotFoundError, RejectedError
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.linkedin import restli
from stakazo_pipelines.platforms.linkedin.errors import ONLY_DRAFTS
from stakazo_pipelines.platforms.linkedin.fields import STATUS_TO_WIRE, collection, key_of, resource_of
from stakazo_pipelines.platforms.port import Account, Entity
from stakazo_pipelines.vocabulary import EntityStatus


async def delete_entity(client: ApiClient, account: Account, entity: Entity) -> None:
    """Fine when it is deleted or gone already. Raises RejectedError when LinkedIn refuses."""
    resource = resource_of(entity.level)
    if entity.status is EntityStatus.DELETED:
        return
    path = f"{collection(account, entity.level)}/{restli.encode(key_of(entity.level, entity.id))}"
    try:
        if entity.native.get(resource.status) == "DRAFT":
            try:
                await client.send(restli.delete(path, account=account.id))
            except RejectedError as error:
                if error.code != ONLY_DRAFTS:  # somebody started it meanwhile
                    raise
            else:
                return
        mark = {"patch": {"$set": {resource.status: STATUS_TO_WIRE[EntityStatus.DELETED]}}}
        # Marking twice is marking once.
        await client.send(restli.post(path, mark, account=account.id, method="PARTIAL_UPDATE", repeatable=True))
    except NotFoundError:
        return
