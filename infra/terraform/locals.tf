# What more than one file needs. Names, paths and times equal `shared/auteryn/policy/cloud.py`; a test compares them.

data "google_project" "this" {
  project_id = var.project_id

  depends_on = [google_project_service.this]
}

locals {
  labels = merge(var.labels, { app = "auteryn" })

  # The services' own addresses, known before the services are: dispatch must name itself in the wakes it sends.
  _host        = "${data.google_project.this.number}.${var.region}.run.app"
  api_url      = "https://auteryn-api-${local._host}"
  dispatch_url = "https://auteryn-dispatch-${local._host}"

  # The hello images listen on $PORT or end at once, and know nothing of our commands.
  _hello = "us-docker.pkg.dev/cloudrun/container"
  images = {
    service = coalesce(var.image, "${local._hello}/hello")
    job     = coalesce(var.image, "${local._hello}/job")
  }
  commands = {
    for name, command in {
      api      = ["functions-framework", "--source=/app/functions/api/main.py", "--target=api", "--asgi"]
      dispatch = ["functions-framework", "--source=/app/functions/dispatch/main.py", "--target=dispatch", "--asgi"]
      slice    = ["python", "/app/functions/slice/main.py"]
    } : name => var.image == null ? [] : command
  }

  # The hello image serves no such paths.
  alive_paths  = var.image == null ? [] : ["/health/process"]
  health_paths = var.image == null ? [] : ["/health"]

  # What Cloud Run gives to so many vCPUs, in GiB.
  most_memory = { "1" = 4, "2" = 8, "4" = 16, "6" = 24, "8" = 32 }

  _shared_environment = {
    AUTERYN_BACKEND       = "gcp"
    AUTERYN_BUCKET        = google_storage_bucket.blobs.name
    AUTERYN_DATABASE      = google_firestore_database.store.name
    AUTERYN_DISPATCH_URL  = local.dispatch_url
    AUTERYN_EVENTS_TOPIC  = google_pubsub_topic.events.name
    AUTERYN_HOME          = "/tmp/auteryn"
    AUTERYN_PUBLIC_URL    = local.api_url
    AUTERYN_QUEUE         = google_cloud_tasks_queue.wakes.name
    AUTERYN_REGION        = var.region
    AUTERYN_STEPS_TOPIC   = google_pubsub_topic.steps.name
    AUTERYN_TASKS_ACCOUNT = google_service_account.this["tasks"].email
    GOOGLE_CLOUD_PROJECT  = var.project_id
  }
  _models = {
    AUTERYN_MODEL_CLASSIFIER = var.models.classifier
    AUTERYN_MODEL_DEEP       = var.models.deep
    AUTERYN_MODEL_FAST       = var.models.fast
  }
  # The first that fits counts: whole addresses before patterns.
  _members = var.google_accounts == null ? [] : concat(
    [for who, role in var.google_accounts.members : "${who}=${role}" if !strcontains(who, "*")],
    [for who, role in var.google_accounts.members : "${who}=${role}" if strcontains(who, "*")],
  )
  _asked = {
    AUTERYN_AUDIENCE     = var.google_accounts == null ? "" : var.google_accounts.audience
    AUTERYN_EGRESS_ALLOW = join(",", var.egress.allow)
    AUTERYN_EGRESS_DENY  = join(",", var.egress.deny)
    AUTERYN_EGRESS_ONLY  = join(",", var.egress.only)
    AUTERYN_KB           = length(local._knowledge) == 0 ? "" : local.knowledge_path
    AUTERYN_MEMBERS      = join(",", local._members)
    AUTERYN_SPEND_LIMIT  = var.spend_limit
    AUTERYN_TOOLS        = join(",", var.tools)
  }
  # Every process's. Beside it dispatch gets what only it needs (functions.tf).
  environment = merge(
    local._shared_environment,
    { for name, ids in local._models : name => ids if ids != null },
    { for name, value in local._asked : name => value if value != "" },
    local.model_environment,
    var.settings,
  )
}
