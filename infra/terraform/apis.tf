# The Google APIs everything else stands on.

locals {
  _apis = concat(
    [
      "artifactregistry",
      "cloudbuild",
      "cloudresourcemanager",
      "cloudscheduler",
      "cloudtasks",
      "firestore",
      "iam",
      "iamcredentials",
      "logging",
      "monitoring",
      "pubsub",
      "run",
      "secretmanager",
      "storage",
    ],
    var.model_key_version == null ? ["aiplatform"] : ["generativelanguage"],
    var.vpc_egress == null ? [] : ["compute"],
    var.budget == null ? [] : ["billingbudgets"],
  )
}

resource "google_project_service" "this" {
  for_each = toset(local._apis)

  project = var.project_id
  service = "${each.key}.googleapis.com"

  # Others may use it too.
  disable_on_destroy = false
}
