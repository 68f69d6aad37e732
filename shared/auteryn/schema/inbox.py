"""What others may tell a run. A message has an id of its own and is accepted once for the life of the run (L5)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from auteryn.schema.event import StepEnd
from auteryn.schema.human import Answer
from auteryn.schema.record import Record


class Message(Record, tag_field="kind"):
    """Base of all messages; `id` is unique within the run, and the same thing said twice has the same id."""

    id: str
    sent_at: datetime


When = Literal["steer", "queue", "interrupt"]
"""When a message is heard. `steer`: before the next model call; waits end. `interrupt`: at once; the answer and the calls under
way are broken off, except calls that may have taken effect, whose outcome is found out first; steps under way hear it, too.
`queue`: when the run would otherwise end or wait for good."""


class UserMessage(Message, tag="user_message"):
    text: str
    mode: When = "steer"
    by: str = "owner"


class Cancel(Message, tag="cancel"):
    by: str = "owner"


class Pause(Message, tag="pause"):
    by: str = "owner"


class Resume(Message, tag="resume"):
    by: str = "owner"


class Answered(Message, tag="answered"):
    """Its id is `answer-<ask>`: the first answer, expiry or withdrawal wins, the others are told."""

    answer: Answer


class Voted(Message, tag="voted"):
    """One person's word on a question that needs several. Its id is made of question, round and person: each has one vote."""

    answer: Answer


class StepEnded(Message, tag="step_ended"):
    """From a child's last commit. `of` is the plan or schedule it belongs to."""

    kind_of_child: Literal["step", "tick", "agent"]
    of: str
    end: StepEnd


class ShareAsked(Message, tag="share_asked"):
    """A child has used up its share of the caps."""

    run: str
    used_calls: int
    used_credits: int = 0
    short_credits: int = 0
    """Thousandths it lacks for its next turn; 0 = it is calls that it lacks."""


class ShareGiven(Message, tag="share_given"):
    """The parent's answer: the child's new limits; equal to the old ones means no."""

    llm_calls: int
    credits: int | None = None
    refused: bool = False


class RetryStep(Message, tag="retry_step"):
    step: int
    by: str = "owner"


class Rename(Message, tag="rename"):
    title: str
    by: str = "owner"


class Reword(Message, tag="reword"):
    """New words for a message the agent has not heard; `text` None takes it back."""

    message: str
    """Id of that message."""
    text: str | None = None
    by: str = "owner"


class ChangeStep(Message, tag="change_step"):
    """A new description for a step that has not begun; None leaves the step out."""

    step: int
    description: str | None = None
    by: str = "owner"


class EndSchedule(Message, tag="end_schedule"):
    """Start no further tick of it."""

    schedule: str
    by: str = "owner"


class Poke(Message, tag="poke"):
    """Look again; carries nothing."""


AnyMessage = (
    UserMessage
    | Cancel
    | Pause
    | Resume
    | Answered
    | StepEnded
    | ShareAsked
    | ShareGiven
    | RetryStep
    | Rename
    | Reword
    | ChangeStep
    | EndSchedule
    | Voted
    | Poke
)


def is_urgent(message: AnyMessage) -> bool:
    """Whether what the slice awaits is broken off for this message."""
    return isinstance(message, Cancel | Pause) or (isinstance(message, UserMessage) and message.mode == "interrupt")


def answer_message_id(ask: str) -> str:
    return f"answer-{ask}"
