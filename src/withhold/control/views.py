"""Views: what the control plane shows of a warrant. Pure."""

import json
from typing import Any

from withhold.control.warrants import Standing
from withhold.kinds.instant import print_instant


def summary(standing: Standing) -> dict[str, Any]:
    """Show how a warrant stands, and nothing of whom it is about."""
    warrant = standing.signed.warrant
    return {
        "id": warrant.id,
        "state": standing.state,
        "waits_for": standing.waits_for or None,
        "remarks": list(standing.remarks),
        "digest": warrant.digest,
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
    return {
        **summary(standing),
        "deployment": deployment,
        "document": json.loads(standing.registered.document),
    }
