"""Errors a user can meet. Every message is one paragraph: the rule, the value that broke it, what is legal or what to do."""


class GatewrightError(Exception):
    """Base of every error Gatewright raises on purpose; `exit_status` is what the command line returns."""

    exit_status = 1


class BadInput(GatewrightError):
    """The input breaks a rule: an unknown key, an impossible shape, a malformed file."""

    exit_status = 2


class Missing(GatewrightError):
    """A tool or a data set is not on this machine."""

    exit_status = 3


class Mismatch(GatewrightError):
    """Something ran and disagreed with its oracle."""

    exit_status = 1
