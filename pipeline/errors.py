"""The one exception that reaches a user.

`UserError` carries a sentence that says what is wrong and what to do, and the exit code of the command line (DESIGN.md section 6:
1 failed, 2 usage, 3 partial). Everything a user can cause (a missing file, a wrong name, a damaged recording, no camera) is raised as
this, and the command line prints the sentence alone. Any other exception is a bug.
"""

FAILED = 1
USAGE = 2
PARTIAL = 3


class UserError(Exception):
    """One sentence for the user, with the exit code that goes with it."""

    def __init__(self, sentence: str, exit_code: int = FAILED) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
