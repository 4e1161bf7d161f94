"""Views: what the control plane shows of a warrant. Pure."""

import json
from typing import Any

from withhold.control.warrants import Standing
from withhold.kinds.instant import print_instant


def summary(standing: Standing) -> dict[str, Any]:
    """Show how a warrant stands, and nothing of whom it is about.

    Of a warrant whose document was pruned, what only that said is null.
    """
    shown = {
        "id": standing.registered.id,
        "state": standing.state,
        "pruned": standing.signed is None,
        "waits_for": standing.waits_for or None,
        "remarks": list(standing.remarks),
        "digest": standing.registered.digest,
    }
    if standing.signed is None:
        said = ("instrument", "authority", "reference", "valid")
        return {**shown, **dict.fromkeys(said), "callers": [], "signatures": []}
    warrant = standing.signed.warrant
    return {
        **shown,
        "instrument": warrant.instrument,
        "authority": warrant.authority,
        "reference": warrant.reference,
        "valid": {
            "from": print_instant(warrant.valid.since),
            "until": print_instant(warrant.valid.until),
        },
        "callers": sorted(warrant.callers),
        "signatures": [
            {"signer": each.key_id, "role": each.role, "at": print_instant(each.signed_at)}
            for each in standing.signed.signatures
        ],
    }


def whole(standing: Standing, deployment: str) -> dict[str, Any]:
    """Show a warrant with its document, for those who sign it or must see what was signed."""
    document = None if standing.signed is None else json.loads(standing.registered.document)
    return {**summary(standing), "deployment": deployment, "document": document}
