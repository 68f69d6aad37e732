variable "alert_emails" {
  description = "Who gets a mail when an alert fires. Empty: alerts are shown in Cloud Monitoring only."
  type        = list(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for email in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+$", email))])
    error_message = "alert_emails must hold mail addresses."
  }
}

variable "api" {
  description = "Size of the public service. It holds streams and FAST runs; with no instance kept warm, the first request of a quiet hour waits for a start."
  type = object({
    concurrency   = optional(number, 250)
    cpu           = optional(string, "1")
    max_instances = optional(number, 20)
    memory        = optional(string, "2Gi")
    min_instances = optional(number, 0)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.api.concurrency >= 1 && var.api.concurrency <= 1000
    error_message = "api.concurrency must be 1 to 1000 (Cloud Run)."
  }

  validation {
    condition     = var.api.min_instances <= var.api.max_instances
    error_message = "api.min_instances must not be more than api.max_instances."
  }

  validation {
    condition     = try(tonumber(trimsuffix(var.api.memory, "Gi")) <= local.most_memory[var.api.cpu], false)
    error_message = "api must have 1, 2, 4, 6 or 8 vCPUs, and memory such as 2Gi, at most 4Gi for each of them."
  }
}

variable "api_invokers" {
  description = "Who may call the API as far as Google is concerned; it asks every caller for an API key itself. Only allUsers lets browsers and the SDK in without a Google account."
  type        = list(string)
  nullable    = false
  default     = ["allUsers"]

  validation {
    condition     = alltrue([for member in var.api_invokers : can(regex("^(allUsers|allAuthenticatedUsers|(user|group|domain|serviceAccount|principal|principalSet):.+)$", member))])
    error_message = "api_invokers must hold IAM members, such as \"group:team@example.com\"."
  }
}

variable "budget" {
  description = "Monthly spend of this project at which the billing account is told (50, 90 and 100 %). Null: no budget. Cloud Billing runs hours late and stops nothing; runs have limits of their own."
  type = object({
    amount          = number
    billing_account = string
    currency        = optional(string, "USD")
  })
  default = null

  validation {
    condition     = var.budget == null ? true : var.budget.amount >= 1
    error_message = "budget.amount must be at least 1."
  }

  validation {
    condition     = var.budget == null ? true : can(regex("^[0-9A-F]{6}(-[0-9A-F]{6}){2}$", var.budget.billing_account))
    error_message = "budget.billing_account must look like 01AB23-CD45EF-678901."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the database and buckets that hold something. To tear everything down, apply with false first, then destroy."
  type        = bool
  nullable    = false
  default     = true
}

variable "dispatch" {
  description = "Size of the private service. It starts slices, and hosts FAST plan steps itself."
  type = object({
    concurrency   = optional(number, 40)
    cpu           = optional(string, "1")
    max_instances = optional(number, 20)
    memory        = optional(string, "2Gi")
    min_instances = optional(number, 0)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.dispatch.concurrency >= 1 && var.dispatch.concurrency <= 1000
    error_message = "dispatch.concurrency must be 1 to 1000 (Cloud Run)."
  }

  validation {
    condition     = var.dispatch.min_instances <= var.dispatch.max_instances
    error_message = "dispatch.min_instances must not be more than dispatch.max_instances."
  }

  validation {
    condition     = try(tonumber(trimsuffix(var.dispatch.memory, "Gi")) <= local.most_memory[var.dispatch.cpu], false)
    error_message = "dispatch must have 1, 2, 4, 6 or 8 vCPUs, and memory such as 2Gi, at most 4Gi for each of them."
  }
}

variable "egress" {
  description = "Where the tools may connect to, beside what their guard forbids anyway. allow: host:port that is reached though it is not public; only: hosts, and what is below them, and no others; deny: hosts, and what is below them, never."
  type = object({
    allow = optional(list(string), [])
    deny  = optional(list(string), [])
    only  = optional(list(string), [])
  })
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for place in var.egress.allow : can(regex("^[^\\s,/]+:[0-9]+$", place))])
    error_message = "egress.allow must hold host:port."
  }

  validation {
    condition     = alltrue([for host in concat(var.egress.deny, var.egress.only) : can(regex("^[^\\s,/:]+$", host))])
    error_message = "egress.deny and egress.only must hold host names, without scheme, port or path."
  }
}

variable "google_accounts" {
  description = "Who comes in with a Google account instead of an API key. audience: of their ID tokens (an OAuth client's id); members: address, or a pattern such as *@example.com, to role (viewer, operator, admin); whole addresses go before patterns. Null: API keys only."
  type = object({
    audience = string
    members  = map(string)
  })
  default = null

  validation {
    condition     = var.google_accounts == null ? true : length(var.google_accounts.audience) > 0 && length(var.google_accounts.members) > 0
    error_message = "google_accounts needs an audience and at least one member."
  }

  validation {
    condition     = var.google_accounts == null ? true : alltrue([for who, role in var.google_accounts.members : can(regex("^[^\\s,=]+@[^\\s,=]+$", who)) && contains(["viewer", "operator", "admin"], role)])
    error_message = "google_accounts.members must map addresses to viewer, operator or admin."
  }
}

variable "image" {
  description = "The one image, by digest. Null: Google's hello image stands in until the first build has been pushed."
  type        = string
  default     = null

  validation {
    condition     = var.image == null ? true : can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must name a digest (…@sha256:…): a tag may mean another image tomorrow."
  }
}

variable "kms_key" {
  description = "Cloud KMS key for the database, the buckets, the topics and the images. Null: Google's keys. The service agents in the output kms_agents need roles/cloudkms.cryptoKeyEncrypterDecrypter on it first; a database keeps the choice it was created with."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null ? true : can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key must be projects/…/locations/…/keyRings/…/cryptoKeys/…."
  }
}

variable "knowledge_bucket" {
  description = "A bucket of documents that kb_search answers from, mounted read-only at /knowledge. Null: no knowledge base. AUTERYN_KB in settings may name a folder in it."
  type        = string
  default     = null

  validation {
    condition     = var.knowledge_bucket == null ? true : can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.knowledge_bucket))
    error_message = "knowledge_bucket must be a bucket's name, without gs://."
  }
}

variable "labels" {
  description = "Labels on everything that takes labels, beside app = auteryn."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for name, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", name)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "labels must have names and values of lower-case letters, digits, hyphens and underscores, at most 63."
  }
}

variable "model_key_version" {
  description = "Version of the secret auteryn-gemini-key that holds a Gemini API key; a number, so that a rollback gets the key it was made with. Null: Vertex AI by the service accounts, without a key."
  type        = string
  default     = null

  validation {
    condition     = var.model_key_version == null ? true : can(regex("^[0-9]+$", var.model_key_version))
    error_message = "model_key_version must be a number: \"latest\" changes under a running release."
  }
}

variable "model_location" {
  description = "Where Vertex AI answers; unused with model_key_version."
  type        = string
  nullable    = false
  default     = "global"

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+[0-9]+)?$", var.model_location))
    error_message = "model_location must be global, a multi-region such as eu, or a region such as europe-west4."
  }
}

variable "models" {
  description = "Model ids by role, comma-separated, best first. What is not named comes from the model table in the code."
  type = object({
    classifier = optional(string)
    deep       = optional(string)
    fast       = optional(string)
  })
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for ids in values(var.models) : ids == null ? true : can(regex("^[^\\s,]+(,[^\\s,]+)*$", ids))])
    error_message = "models must hold model ids, comma-separated, without spaces."
  }
}

variable "point_in_time_recovery" {
  description = "Keep every version of every document for 7 days, so that the database can be read as of any minute."
  type        = bool
  nullable    = false
  default     = false
}

variable "project_id" {
  description = "The Google Cloud project. One deployment a project: names are fixed."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be a project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  description = "Where everything runs and is stored. The database cannot be moved later."
  type        = string
  nullable    = false
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region such as europe-west1."
  }
}

variable "secrets" {
  description = "Secrets that tools and notifications use, by the name of the environment variable they are read from (SLACK_BOT_TOKEN, AUTERYN_SMTP_URL, AUTERYN_SECRET_…; all names: secrets.tf). secret: its id in this project's Secret Manager; create: make it, empty; version: a number, so that a rollback gets what it was made with, or latest; none: nobody gets it yet. readers: the hosts that get it, of api (FAST runs), dispatch (FAST steps, and everything that notifies) and slice (DEEP runs)."
  type = map(object({
    create  = optional(bool, false)
    readers = optional(set(string), ["api", "dispatch", "slice"])
    secret  = string
    version = optional(string)
  }))
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for name in keys(var.secrets) : anytrue([for known in local.secret_names : name == known || endswith(known, "_") && can(regex("^${known}[A-Z0-9_]{1,64}$", name))])])
    error_message = "secrets must be named as the code reads them, AUTERYN_SECRET_… in capitals: see secret_names in secrets.tf. The model's key has a variable of its own, model_key_version."
  }

  validation {
    condition     = alltrue([for one in values(var.secrets) : can(regex("^[A-Za-z0-9_-]{1,255}$", one.secret)) && one.secret != "auteryn-gemini-key"])
    error_message = "secrets.*.secret must be the id of a secret of this project (letters, digits, hyphens, underscores)."
  }

  validation {
    condition     = alltrue([for one in values(var.secrets) : one.version == null ? one.create : can(regex("^([0-9]+|latest)$", one.version))])
    error_message = "secrets.*.version must be a number or latest; only a secret that is created here may have none yet."
  }

  validation {
    condition     = alltrue([for one in values(var.secrets) : length(one.readers) > 0 && length(setsubtract(one.readers, ["api", "dispatch", "slice"])) == 0])
    error_message = "secrets.*.readers must be some of api, dispatch and slice."
  }
}

variable "settings" {
  description = "Plain settings of tools and telemetry, by the name of the environment variable they are read from (AUTERYN_CONFLUENCE_URL, AUTERYN_SANDBOX, OTEL_…; all names: secrets.tf). They stand in the plan and the state for everybody who may read those: what opens something belongs into secrets."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : anytrue([for known in local.setting_names : name == known || endswith(known, "_") && can(regex("^${known}[A-Z0-9_]{1,64}$", name))])])
    error_message = "settings must be named as the code reads them: see setting_names in secrets.tf. What this folder sets itself has variables of its own."
  }

  validation {
    condition     = alltrue([for name, value in var.settings : length(trimspace(value)) > 0 && name != "OTEL_EXPORTER_OTLP_HEADERS"])
    error_message = "settings must not be empty, and OTEL_EXPORTER_OTLP_HEADERS, which holds a token, belongs into secrets."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), keys(var.secrets))) == 0
    error_message = "settings and secrets must not name the same variable."
  }
}

variable "slices" {
  description = "Size of a slice, and of the one that is tried once after a slice ended without a word. Files a run writes count as memory."
  type = object({
    large = optional(object({ cpu = optional(string, "2"), memory = optional(string, "8Gi") }), {})
    small = optional(object({ cpu = optional(string, "1"), memory = optional(string, "2Gi") }), {})
  })
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for one in [var.slices.large, var.slices.small] : try(tonumber(trimsuffix(one.memory, "Gi")) <= local.most_memory[one.cpu], false)])
    error_message = "slices must have 1, 2, 4, 6 or 8 vCPUs, and memory such as 2Gi, at most 4Gi for each of them."
  }
}

variable "spend_alert" {
  description = "Alert above this many credits an hour over all runs, and above this many slices at work for an hour."
  type = object({
    credits_per_hour = optional(number, 2000)
    slices_at_once   = optional(number, 100)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.spend_alert.credits_per_hour > 0 && var.spend_alert.slices_at_once > 0
    error_message = "spend_alert must be more than 0: an alert that always fires is read by nobody."
  }
}

variable "spend_limit" {
  description = "What an owner may spend who has no limit of their own: credits in a span, such as 1000/1d. Empty: as much as there is. `auteryn limits set` gives one owner a limit."
  type        = string
  nullable    = false
  default     = ""

  validation {
    condition     = var.spend_limit == "" || can(regex("^[0-9]+(\\.[0-9]+)?/([0-9]+[wdhms])+$", var.spend_limit))
    error_message = "spend_limit must be credits in a span, such as 1000/1d."
  }
}

variable "tools" {
  description = "Tools of one's own that the image brings: names of its Python modules, every tool written in them counts."
  type        = list(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for name in var.tools : can(regex("^[A-Za-z_][A-Za-z0-9_.]*$", name))])
    error_message = "tools must hold names of Python modules, such as shop.tools."
  }
}

variable "vpc_egress" {
  description = "Send everything the agent fetches through a network of its own, with NAT and a firewall that lets only web traffic to public addresses out, and what ports names besides: 587 or 465 for a mail server, 4317 for a collector. Null: straight to the internet; the tools' own guard holds either way. The range must be /26 or wider: a slice takes up to two addresses."
  type = object({
    ports = optional(list(string), [])
    range = optional(string, "10.180.0.0/22")
  })
  default = null

  validation {
    condition     = var.vpc_egress == null ? true : can(cidrnetmask(var.vpc_egress.range)) && tonumber(split("/", var.vpc_egress.range)[1]) <= 26
    error_message = "vpc_egress.range must be an IPv4 range of /26 or wider."
  }

  validation {
    condition     = var.vpc_egress == null ? true : alltrue([for port in var.vpc_egress.ports : can(regex("^[1-9][0-9]{0,4}$", port))])
    error_message = "vpc_egress.ports must hold numbers of TCP ports."
  }
}
