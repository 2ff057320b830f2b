"""The laws that no rule may bend: separation of duties, and who never comes near a picture (ACC-05, ACC-09)."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product

from pacs_secure.adapters.policy_files import RoleLine
from pacs_secure.core.access import Action, Role

Allows = Callable[[Role, Action], bool]
"""Whether a role may do something at all, for any purpose and on any way."""

OVERSIGHT = (Role.ADMIN, Role.DPO, Role.OFFICER, Role.OPERATOR)
PICTURES = (
    Action.STUDY_READ,
    Action.STUDY_SEARCH,
    Action.STUDY_CREATE,
    Action.SHARE_CREATE,
    Action.SHARE_REDEEM,
    Action.BOARD_ADMIT,
    Action.BREAK_GLASS_OPEN,
)
"""What shows pictures, or leads to where they are seen."""
APART = (
    (Action.POLICY_PROPOSE, Action.POLICY_APPROVE),
    (Action.BREAK_GLASS_OPEN, Action.BREAK_GLASS_REVIEW),
)
"""Two duties each that no role has both of: whoever does the one never judges it."""
PROVEN_TWICE = (Role.ADMIN, Role.DPO, Role.OFFICER)


def breaches(allows: Allows, roles: Mapping[Role, RoleLine]) -> Iterator[str]:
    """Yield every law that a policy breaks."""
    for role, action in product(OVERSIGHT, PICTURES):
        if allows(role, action):
            yield f"the policy lets {role} do {action}: oversight never sees pictures"
    for role, (first, second) in product(Role, APART):
        if allows(role, first) and allows(role, second):
            yield f"the policy lets {role} do both {first} and {second}: these duties are separate"
    for role, action in product([Role.RESEARCHER], (Action.STUDY_READ, Action.STUDY_SEARCH)):
        if allows(role, action):
            yield f"the policy lets {role} do {action}: research sees no named person"
    yield from (f"the policy lets a stranger do {action}" for action in Action if allows(Role.STRANGER, action))
    yield from (f"the policy asks no second factor of {role}" for role in PROVEN_TWICE if not roles[role].second_factor)
