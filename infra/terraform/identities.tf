# Who is who: one service account a piece. What each may do stands beside the resource it may do it to.

locals {
  _accounts = {
    api      = "The public service: creates and reads runs, hosts FAST runs"
    build    = "Cloud Build: pushes the image and rolls it out"
    dispatch = "The private service: starts slices, hosts FAST plan steps"
    push     = "Token of Pub/Sub's pushes to dispatch"
    sandbox  = "Code the model wrote. No role at all, on purpose: whoever steals this token has nothing"
    slice    = "The job: one sitting of work on a run"
    sweep    = "Token of Cloud Scheduler's calls to dispatch"
    tasks    = "Token of Cloud Tasks' wakes to dispatch"
  }

  # Those that host slices, and so commit, enqueue, publish, keep files and think.
  hosts = toset(["api", "dispatch", "slice"])

  # Google's own accounts that act in this project.
  _agent = data.google_project.this.number
  agents = {
    artifacts = "service-${local._agent}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    firestore = "service-${local._agent}@gcp-sa-firestore.iam.gserviceaccount.com"
    pubsub    = "service-${local._agent}@gcp-sa-pubsub.iam.gserviceaccount.com"
    storage   = "service-${local._agent}@gs-project-accounts.iam.gserviceaccount.com"
  }
}

resource "google_service_account" "this" {
  for_each = local._accounts

  project      = var.project_id
  account_id   = "auteryn-${each.key}"
  display_name = "Auteryn ${each.key}"
  description  = each.value

  depends_on = [google_project_service.this]
}

# A wake carries a token of `tasks`: whoever enqueues one must be allowed to act as that account, and as no other.
resource "google_service_account_iam_member" "enqueuer_acts_as_tasks" {
  for_each = local.hosts

  service_account_id = google_service_account.this["tasks"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this[each.key].member
}
