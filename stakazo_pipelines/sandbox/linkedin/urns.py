"""URNs: how entities of the world are named between LinkedIn's resources."""

from stakazo_pipelines.sandbox.linkedin.errors import bad_param
from stakazo_pipelines.sandbox.world import Account, Creative

ACCOUNT = "sponsoredAccount"
GROUP = "sponsoredCampaignGroup"
CAMPAIGN = "sponsoredCampaign"
CREATIVE = "sponsoredCreative"
MEMBER = "urn:li:person:sandboxMember"


def urn(kind: str, number: str | int) -> str:
    return f"urn:li:{kind}:{number}"


def number(text: object, kind: str) -> str | None:
    """The number of a URN of this kind; a bare number passes as one. None for anything else."""
    if isinstance(text, int) and not isinstance(text, bool):
        return str(text)
    if not isinstance(text, str):
        return None
    bare = text.removeprefix(f"urn:li:{kind}:")
    return bare if bare.isascii() and bare.isdigit() else None


def numbers(values: object, kind: str, name: str) -> frozenset[str] | None:
    """Numbers of a list parameter of URNs; None where it was not given. Raises PARAM_INVALID."""
    if values is None:
        return None
    items = values if isinstance(values, list) else [values]
    found = [number(item, kind) for item in items]
    if not found or None in found:
        raise bad_param(name, f"must be a list of urn:li:{kind} URNs")
    return frozenset(item for item in found if item is not None)


def organization(account: Account) -> str:
    """Every account of the sandbox advertises for a company page of its own."""
    return urn("organization", account.id)


def post(creative: Creative) -> str:
    """A video is a ugcPost, everything else a share."""
    return urn("ugcPost" if creative.kind == "video" else "share", creative.id)


def post_number(text: object) -> str | None:
    return number(text, "ugcPost") or number(text, "share") if isinstance(text, str) and ":" in text else None
