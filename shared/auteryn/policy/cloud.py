"""What the code and `infra/terraform` must agree on in Google Cloud. Pure data: a test compares both sides, name by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from auteryn.schema.record import Record

Deployable = Literal["api", "dispatch", "slice"]
"""What runs: the public service, the private service, the job. One image, three commands."""

# ---- names; Terraform hands those that an adapter needs to it by the environment (below)

API = "auteryn-api"
DISPATCH = "auteryn-dispatch"
JOB = "auteryn-slice"
JOB_LARGE = "auteryn-slice-large"
"""The same with more memory, for a run whose slice ended without a word: the platform kills for memory, not for disk."""
DATABASE = "auteryn"
QUEUE = "auteryn-wakes"
"""Not free again for 7 days once deleted (Cloud Tasks quotas)."""
STEPS_TOPIC = "auteryn-steps"
STEPS_SUBSCRIPTION = "auteryn-steps-dispatch"
DEAD_TOPIC = "auteryn-steps-dead"
DEAD_SUBSCRIPTION = "auteryn-steps-dead"
"""A dead-letter topic that nobody subscribes to loses its messages."""
EVENTS_TOPIC = "auteryn-events"
FEED_PREFIX = "auteryn-feed-"
"""Each API instance makes a subscription of `EVENTS_TOPIC` with this prefix and an id of its own."""
MODEL_KEY = "auteryn-gemini-key"
"""The secret behind `GEMINI_API_KEY`."""
SWEEP_SCHEDULE = "auteryn-sweep"

APIS = (
    "cloudscheduler",
    "cloudtasks",
    "firestore",
    "iamcredentials",
    "logging",
    "monitoring",
    "pubsub",
    "run",
    "secretmanager",
    "storage",
)
"""Of Google's, without `.googleapis.com`: what a deployment stands on at work, beside the model's."""

# ---- paths of `dispatch`

WAKE_PATH = "/wake"
"""A wake from Cloud Tasks."""
STEPS_PATH = "/steps"
"""A push from `STEPS_SUBSCRIPTION`."""
SWEEP_PATH = "/sweep"
"""The minute's call of Cloud Scheduler."""
ALIVE_PATH = "/health/process"
"""Answers 200 on `api` while the process does, whether or not the store answers: a restart would not bring it back."""
HEALTH_PATH = "/health"
"""Answers 200 on `api` to anybody. Not only `/healthz`: Cloud Run keeps paths that end in z to itself and answers 404 from
outside (known issues, reserved URL paths)."""

# ---- times

JOB_TIMEOUT = timedelta(seconds=7200)
"""Of one attempt; equals DEEP's `slice_time`. The platform's default is 10 minutes."""
JOB_MAX_RETRIES = 0
"""A platform retry gets the whole timeout again and goes past our own counting of crashes."""
SLICE_STOP = timedelta(seconds=6600)
"""A slice leaves by itself; equals `slice_time - slice_margin`. SIGTERM at the timeout is a bonus."""
PUSH_ACK_DEADLINE = timedelta(seconds=600)
"""Pub/Sub's most, and the request timeout of a push: longer steps get a job of their own."""
PUSH_SLICE_STOP = timedelta(minutes=8)
"""A FAST step inside a push is handed over then."""
API_TIMEOUT = timedelta(seconds=900)
"""A FAST run inside the request (11 minutes) and its conclusion fit in; streams end at 10 minutes."""
DISPATCH_TIMEOUT = timedelta(seconds=600)
"""As long as a push may take."""
DISPATCH_DEADLINE = timedelta(seconds=600)
"""Cloud Tasks stops listening then and repeats; 15 s to 30 min are allowed."""
SWEEP_EVERY = timedelta(minutes=1)
SWEEP_DEADLINE = timedelta(seconds=180)
"""Cloud Scheduler stops listening then."""
BLOBS_KEPT = timedelta(days=90)
"""The bucket deletes older objects: orphans of refused commits, and what nobody reads any more."""
BLOBS_RENEWED = timedelta(days=30)
"""A blob is kept by its hash, once. `put` of one that is older writes it anew, so that no live run's reaches `BLOBS_KEPT`."""


FILES_BYTES = 1 << 30
"""All files of a tree: what a slice of the small variant (2 GiB, files in memory) can hold beside itself."""


class Retry(Record):
    """How a platform repeats what was not answered with 2xx."""

    attempts: int
    first: timedelta
    most: timedelta
    span: timedelta | None = None
    """Goes on until this has passed too, however many attempts that are."""


QUEUE_RETRY = Retry(attempts=100, first=timedelta(seconds=1), most=timedelta(seconds=300), span=timedelta(hours=24))
"""Then the task is deleted without a word and the sweeper finds the run."""
STEPS_RETRY = Retry(attempts=10, first=timedelta(seconds=10), most=timedelta(seconds=600))
"""Then the message goes to `DEAD_TOPIC`."""
SWEEP_RETRY = Retry(attempts=0, first=timedelta(seconds=5), most=timedelta(seconds=3600))
"""None: the next minute brings the next sweep."""
QUEUE_PER_SECOND = 500
"""Cloud Tasks' most for one queue."""
QUEUE_AT_ONCE = 500

# ---- Firestore

Direction = Literal["ASCENDING", "DESCENDING"]


class Index(Record):
    """A composite index of one collection. Production refuses a query without its index; the emulator does not."""

    collection: str
    fields: tuple[tuple[str, Direction], ...]


INDEXES = (
    Index(
        collection="docs",
        fields=(("kind", "ASCENDING"), ("scope", "ASCENDING"), ("at", "ASCENDING"), ("written", "ASCENDING")),
    ),
    Index(collection="runs", fields=(("owner", "ASCENDING"), ("created_at", "DESCENDING"))),
    Index(collection="runs", fields=(("owner", "ASCENDING"), ("parent", "ASCENDING"), ("created_at", "DESCENDING"))),
    Index(collection="runs", fields=(("parent", "ASCENDING"), ("created_at", "DESCENDING"))),
    Index(collection="runs", fields=(("status", "ASCENDING"), ("created_at", "DESCENDING"))),
)
"""Firestore joins indexes of equal order for several equalities: `status` goes with any of the others."""


class FieldIndex(Record):
    """A single field's ascending index, in these scopes. By itself a field is indexed within one collection only."""

    collection: str
    field: str
    scopes: tuple[Literal["COLLECTION", "COLLECTION_GROUP"], ...]


FIELD_INDEXES = (
    FieldIndex(collection="inbox", field="state", scopes=("COLLECTION", "COLLECTION_GROUP")),
    FieldIndex(collection="lease", field="due_at", scopes=("COLLECTION_GROUP",)),
)
"""What `Store.due` looks through, over all runs."""

UNINDEXED = (
    ("docs", "body"),
    ("docs", "by"),
    ("inbox", "bodies"),
    ("inbox", "by"),
    ("inbox", "place"),
    ("journal", "body"),
    ("journal", "commit"),
    ("lease", "by"),
    ("lease", "spoken"),
    ("lease", "until"),
    ("lease", "wake_at"),
    ("runs", "aside"),
    ("runs", "body"),
)
"""(collection, field): what nobody queries by. An indexed value costs a write each time it changes; one that only rises, like
a lease's end, caps its collection at 500 writes a second."""

# ---- what a process reads from its environment

ALL: tuple[Deployable, ...] = ("api", "dispatch", "slice")
CALLERS = ("push", "sweep", "tasks")
"""Whose tokens `dispatch` takes: the service accounts of Pub/Sub's pushes, of the scheduler, of the queue."""

ENVIRONMENT: dict[str, tuple[Deployable, ...]] = {
    "AUTERYN_BACKEND": ALL,
    "AUTERYN_BUCKET": ALL,
    "AUTERYN_CALLERS": ("dispatch",),
    "AUTERYN_DATABASE": ALL,
    "AUTERYN_DISPATCH_URL": ALL,
    "AUTERYN_EVENTS_TOPIC": ALL,
    "AUTERYN_HOME": ALL,
    "AUTERYN_JOB": ("dispatch",),
    "AUTERYN_JOB_LARGE": ("dispatch",),
    "AUTERYN_PUBLIC_URL": ALL,
    "AUTERYN_QUEUE": ALL,
    "AUTERYN_REGION": ALL,
    "AUTERYN_STEPS_TOPIC": ALL,
    "AUTERYN_TASKS_ACCOUNT": ALL,
    "GOOGLE_CLOUD_PROJECT": ALL,
}
"""Variable → who gets it from Terraform. Values are ids as the names above, not resource paths.

`AUTERYN_CALLERS`: the service accounts `dispatch` accepts, comma-separated. `AUTERYN_DISPATCH_URL`: where wakes go, and the
audience of every token. `AUTERYN_HOME`: scratch files (memory in Cloud Run). `AUTERYN_PUBLIC_URL`: of the API, for links in
notifications. `AUTERYN_TASKS_ACCOUNT`: whose token a wake carries.
"""

BY_VERTEX = ("GOOGLE_CLOUD_LOCATION", "GOOGLE_GENAI_USE_VERTEXAI")
"""Everybody's, where the model is reached by the service account."""
BY_KEY = ("GEMINI_API_KEY",)
"""Everybody's, from the secret `MODEL_KEY`, where a key opens the model."""
ON_REQUEST = (
    "AUTERYN_AUDIENCE",
    "AUTERYN_EGRESS_ALLOW",
    "AUTERYN_EGRESS_DENY",
    "AUTERYN_EGRESS_ONLY",
    "AUTERYN_MEMBERS",
    "AUTERYN_MODEL_CLASSIFIER",
    "AUTERYN_MODEL_DEEP",
    "AUTERYN_MODEL_FAST",
    "AUTERYN_SPEND_LIMIT",
    "AUTERYN_TOOLS",
)
"""Everybody's, where the variables `egress`, `google_accounts`, `models`, `spend_limit` and `tools` ask for it; else the code
decides."""

SETTINGS = (
    "AUTERYN_CONFLUENCE_URL",
    "AUTERYN_CONFLUENCE_USER",
    "AUTERYN_CREDENTIAL_",
    "AUTERYN_KB",
    "AUTERYN_MAIL_FROM",
    "AUTERYN_PUBLIC_URL",
    "AUTERYN_SANDBOX",
    "AUTERYN_SEARXNG_URL",
    "AUTERYN_SLACK_URL",
    "AUTERYN_TRACE_URL",
    "AUTERYN_WEBHOOK_",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_VERTEX_BASE_URL",
    "OTEL_",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
"""Everybody's, where the variable `settings` asks for it. A name that ends in `_` stands for all that begin with it.

`AUTERYN_PUBLIC_URL` takes the place of the one Terraform sets: an address of one's own. Most of `OTEL_…` is read by its SDK.
"""
SECRETS = (
    "AUTERYN_SECRET_",
    "AUTERYN_SMTP_URL",
    "AUTERYN_WEBHOOK_",
    "BRAVE_API_KEY",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "SLACK_BOT_TOKEN",
    "TAVILY_API_KEY",
)
"""Each host's that the variable `secrets` names as its reader, from Secret Manager. Tools work in all three hosts, and posts
leave from `dispatch`, so all three read them unless it says otherwise. An `AUTERYN_WEBHOOK_…` may be either: some addresses
are keys themselves."""

RUN_VARIABLE = "AUTERYN_RUN"
"""The one override of a job execution: which run its slice sits on."""

LAPTOP = {
    "AUTERYN_APIS_HOST": "a stand-in on this machine",
    "AUTERYN_CLOCK_FILE": "moves the time of a local cloud",
    "AUTERYN_LOCAL_CLOUD": "takes tokens without a signature: a cloud on one machine",
    "AUTERYN_RUN_HOST": "a stand-in on this machine",
    "AUTERYN_SYNCHRONOUS": "how SQLite writes: the embedded world",
    "AUTERYN_TASKS_HOST": "a stand-in on this machine",
    "AUTERYN_TRACEBACK": "how the command line tells of a fault",
    "CLOUDSDK_ROOT_DIR": "where the emulators are looked for",
    "DOCKER_HOST": "where the emulators are looked for",
    "FIRESTORE_EMULATOR_HOST": "a stand-in on this machine",
    "GOOGLE_API_KEY": "another name of GEMINI_API_KEY",
    "GOOGLE_GENAI_USE_ENTERPRISE": "another name of GOOGLE_GENAI_USE_VERTEXAI",
    "HOME": "where ~/.auteryn is",
    "NO_COLOR": "how the command line looks",
    "PATH": "the image's own",
    "PUBSUB_EMULATOR_HOST": "a stand-in on this machine",
    "STORAGE_EMULATOR_HOST": "a stand-in on this machine",
    "TERM": "how the command line looks",
}
"""Read where set and never set by Terraform, and why not."""

PLATFORM = (
    "CLOUD_RUN_EXECUTION",
    "CLOUD_RUN_JOB",
    "CLOUD_RUN_TASK_ATTEMPT",
    "CLOUD_RUN_TASK_COUNT",
    "CLOUD_RUN_TASK_INDEX",
    "CLOUD_RUN_TIMEOUT_SECONDS",
    "K_CONFIGURATION",
    "K_REVISION",
    "K_SERVICE",
    "PORT",
)
"""Set by Cloud Run (container contract)."""

# ---- log lines that alerts and the dashboard count, as JSON objects; the key `message` names the line

SWEEP_LINE = "sweep"
"""By `dispatch` after each sweep, with `acted` (runs dispatched) and `overdue_seconds` (how late the oldest was, 0 if none)."""
SLICE_LINE = "slice"
"""By every host of slices after each slice, with `credits` (thousandths spent in it)."""
STUCK_AFTER = timedelta(minutes=10)
"""A run that is due and did not move for so long, though swept each minute, wants a person."""

# ---- commands

COMMANDS: dict[Deployable, tuple[str, ...]] = {
    "api": ("functions-framework", "--source=/app/functions/api/main.py", "--target=api", "--asgi"),
    "dispatch": ("functions-framework", "--source=/app/functions/dispatch/main.py", "--target=dispatch", "--asgi"),
    "slice": ("python", "/app/functions/slice/main.py"),
}
"""What starts in the image."""
