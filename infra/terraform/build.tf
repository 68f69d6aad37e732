# Where the image lies and who rolls it out: Cloud Build may push images and put them into the services and jobs that exist.
# Everything else in this folder is applied by a person: a build that would change it fails for want of rights.

resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = "auteryn"
  format        = "DOCKER"
  description   = "The one image of api, dispatch and slice"
  kms_key_name  = var.kms_key
  labels        = local.labels

  # A rollback needs the image before this one; a slice under way holds its own for two hours.
  cleanup_policies {
    id     = "keep-the-last"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }
  cleanup_policies {
    id     = "delete-after-90-days"
    action = "DELETE"
    condition {
      older_than = "7776000s"
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_artifact_registry_repository_iam_member" "build_pushes" {
  project    = var.project_id
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.this["build"].member
}

# The state of this very folder, once `./release move-state` has moved it here from the first laptop.
resource "google_storage_bucket" "state" {
  project  = var.project_id
  name     = "${var.project_id}-auteryn-state"
  location = var.region
  labels   = local.labels

  force_destroy               = !var.deletion_protection
  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 50
    }
  }

  # What builds were started from (README): the image is what stays of it.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 30
      matches_prefix = ["source/"]
      with_state     = "ANY"
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket_iam_member" "build_state" {
  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectUser"
  member = google_service_account.this["build"].member
}

resource "google_cloud_run_v2_service_iam_member" "build_deploys" {
  for_each = google_cloud_run_v2_service.function

  project  = var.project_id
  location = each.value.location
  name     = each.value.name
  role     = "roles/run.developer"
  member   = google_service_account.this["build"].member
}

resource "google_cloud_run_v2_job_iam_member" "build_deploys" {
  for_each = google_cloud_run_v2_job.slice

  project  = var.project_id
  location = each.value.location
  name     = each.value.name
  role     = "roles/run.developer"
  member   = google_service_account.this["build"].member
}

resource "google_service_account_iam_member" "build_acts_as_host" {
  for_each = local.hosts

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this["build"].member
}

# Reading only: the project's number, the progress of a deployment, its own logs.
resource "google_project_iam_member" "build" {
  for_each = toset(["roles/browser", "roles/logging.logWriter", "roles/run.viewer"])

  project = var.project_id
  role    = each.key
  member  = google_service_account.this["build"].member
}
