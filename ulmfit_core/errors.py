"""The one exception that is meant for a person: its text says what happened, where, and what to do."""


class UserError(Exception):
    """A sentence for the person at the keyboard. Shown as it stands, never with a traceback."""
