"""The user's commands to the session: each is logged, or refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError
from kinestream.policy import FixedPolicy, Part, build_policy, make_policy, parts_of, save_policy
from kinestream.policy.catalog import settings_of
from kinestream.policy.external_policy import name_of
from kinestream.policy.policy_text import files_of, is_only_recorded

from . import policy_settings, value_steps
from .policy_settings import Setting

if TYPE_CHECKING:
    from kinestream.core.signals import Subnet
    from kinestream.policy import Policy

    from .session_like import SessionLike
    from .state import DashboardState


CANNOT_SAVE = "this policy cannot be saved: it cannot be rebuilt from its text; choose another with p"


class Control:
    """Passes commands on to the session.

    Args:
        session: receives the commands.
        state: its log gets a line for each command.
        refuse: called with the reason if a command is impossible; the run continues unchanged.
        in_browser: the commands come from a page. They name no files, so that the page runs no code and reads and
            writes nothing of this machine; the policy files of the command line remain.
    """

    def __init__(
        self, session: SessionLike, state: DashboardState, refuse: Callable[[str], None], *, in_browser: bool = False
    ) -> None:
        self.session = session
        self._state = state
        self._refuse = refuse
        self._in_browser = in_browser
        self._own_files = _files_of(session.policy_text)
        self._kinds = value_steps.policies(session.policy_text)
        self._parsed: tuple[str, Policy | None] = ("", None)
        self._unpinned = self._kinds[0]
        self._requested_charge: tuple[int, float] = (-1, 1.0)

    @property
    def policy(self) -> Policy | None:
        """The policy in force, for its settings; None if its text cannot be parsed, or is a file of a recording."""
        text = self.session.policy_text
        if self._parsed[0] != text:
            try:
                own = not (self.session.repeats and is_only_recorded(text))
                self._parsed = text, make_policy(text, self.session.table) if own else None
            except ConfigError:
                self._parsed = text, None
        return self._parsed[1]

    @property
    def pinned(self) -> Subnet | None:
        """The pinned subnetwork, if any."""
        policy = self.policy
        return policy.subnet if isinstance(policy, FixedPolicy) else None

    def set_policy(self, text: str) -> None:
        """Use the policy with this text from the next window on."""
        try:
            if self._in_browser and files_of(text) - self._own_files:
                raise ConfigError("a page in a browser names no files: start kinestream serve with --policy FILE")
            self.session.set_policy(text)
        except ConfigError as error:
            self._refuse(str(error))
            return
        self._note(f"policy {text}")

    def next_policy(self, step: int = 1) -> None:
        """Use the next kind of policy; the session's first policy keeps its settings."""
        text = self.session.policy_text
        policy = self.policy
        kinds = [kind.partition(":")[0] for kind in self._kinds]
        kind = parts_of(policy)[0].kind if policy else ""
        place = self._kinds.index(text) if text in self._kinds else kinds.index(kind) if kind in kinds else -1
        self.set_policy(self._kinds[(place + step) % len(self._kinds)])

    def pin(self, subnet: Subnet) -> None:
        """Run only this subnetwork from now on; unpin it if it is pinned already."""
        if self.pinned == subnet:
            self.unpin()
            return
        if self.pinned is None:
            self._unpinned = self.session.policy_text
        self.set_policy(f"fixed:{subnet}")

    def unpin(self) -> None:
        """Return to the policy that was in force before the pin."""
        if self.pinned is not None:
            before = self._unpinned
            self.set_policy(before if before != self.session.policy_text else "fixed")

    def change(self, setting: Setting, step: int) -> None:
        """Change a setting to its next value."""
        self._change(setting, policy_settings.next_value(setting, step, self.session.table))

    def type(self, setting: Setting, text: str) -> None:
        """Change a setting to a typed value; an empty text leaves it open."""
        self._change(setting, text.strip() or None)

    def _change(self, setting: Setting, value: object) -> None:
        policy = self.policy
        if policy is None:
            return
        try:
            text = policy_settings.with_value(policy, self.session.table, setting, value)
        except ConfigError as error:
            self._refuse(str(error))
        else:
            self.set_policy(text)

    def change_limit(self, step: int) -> None:
        """Limit the policy by the next kind of limit, or by none."""
        policy = self.policy
        if policy is None:
            return
        first, *others = (part.kind for part in parts_of(policy))
        ladder = [kind for kind in policy_settings.LIMITS if kind != first]
        place = ladder.index(others[0]) if others and others[0] in ladder else 0
        kind = ladder[(place + step) % len(ladder)]
        self.set_policy(policy_settings.limited(policy, self.session.table, [kind] if kind else []))

    def change_hop(self, step: int) -> None:
        """Predict at fewer (1) or more (-1) windows: through the first part with a hop, else through an added part."""
        policy = self.policy
        if policy is None:
            return
        settings = policy_settings.settings(policy, self.session.table)
        hop = next((setting for setting in settings if setting.key == "hop"), None)
        if hop is not None:
            self.change(hop, step)
        elif step > 0:
            self.set_policy(f"{policy_settings.short_text(policy, self.session.table)}+hop")

    def change_deadline(self, step: int) -> None:
        """Make the deadline one step longer (1) or shorter (-1)."""
        deadline_ms = value_steps.next_deadline_ms(self.session.deadline_ms, step, self.session.table)
        self._set_deadline(deadline_ms)

    def _set_deadline(self, deadline_ms: float | None) -> None:
        try:
            self.session.set_deadline(deadline_ms)
        except ConfigError as error:
            self._refuse(str(error))
        else:
            self._note("no deadline" if deadline_ms is None else f"deadline {deadline_ms:g} ms")

    def type_deadline(self, text: str) -> None:
        """Set a typed deadline; an empty text removes it."""
        try:
            deadline_ms = float(text) if text.strip() else None
        except ValueError:
            self._refuse(f"'{text}' is not a number of milliseconds; type one such as 2.5, or nothing for no deadline")
        else:
            self._set_deadline(deadline_ms)

    def change_battery(self, step: int) -> None:
        """Raise (1) or lower (-1) the simulated battery's charge by one step."""
        stream = self._state.stream
        charge = stream.prediction.battery_frac if stream and stream.prediction else None
        windows = stream.prediction_count if stream else 0
        requested_at, requested = self._requested_charge
        # Until the next window reports the charge, a second press continues from the first one's request.
        frac = value_steps.next_battery_frac(requested if charge is None or requested_at == windows else charge, step)
        try:
            self.session.set_battery(frac)
        except ConfigError as error:
            self._refuse(str(error))
        else:
            self._requested_charge = (windows, frac)
            self._note(f"battery {frac:.0%}")

    def to_save(self) -> Policy | None:
        """Return the policy to save: with the run's deadline as a limit, because a policy file holds no deadline.

        A pinned subnetwork gets no limit: it runs here whatever the deadline, and must do so from the file too.
        """
        policy, deadline_ms = self.policy, self.session.deadline_ms
        if policy is None or deadline_ms is None or isinstance(policy, FixedPolicy):
            return policy
        parts = [Part(name_of(part), settings_of(part)) for part in parts_of(policy) if part.kind != "deadline"]
        return build_policy([*parts, Part("deadline", {"ms": deadline_ms})], self.session.table)

    def save(self, path: Path) -> bool:
        """Write the policy as TOML, never over another file. Return whether it was written."""
        policy = self.to_save()
        if policy is None:
            self._refuse(CANNOT_SAVE)
            return False
        if path.exists():
            self._refuse(f"{path} already exists; choose another name")
            return False
        try:
            save_policy(policy, path)
        except ConfigError as error:
            self._refuse(str(error))
            return False
        self._note(f"saved {path}")
        return True

    def _note(self, text: str) -> None:
        if self._state.stream is not None:
            self._state.stream.note(text)


def _files_of(text: str) -> frozenset[str]:
    """The files of a policy's text; none if it cannot be parsed, as that of an earlier version."""
    try:
        return files_of(text)
    except ConfigError:
        return frozenset()
