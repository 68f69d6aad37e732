# Start a slice elsewhere: one Cloud Run job execution is one sitting of work on one run.

locals {
  _jobs = {
    large = merge(var.slices.large, { name = "auteryn-slice-large" })
    small = merge(var.slices.small, { name = "auteryn-slice" })
  }
}

resource "google_cloud_run_v2_job" "slice" {
  for_each = local._jobs

  project  = var.project_id
  name     = each.value.name
  location = var.region
  labels   = local.labels

  # Holds nothing: what a run is lies in the store.
  deletion_protection = false

  template {
    labels = local.labels

    template {
      execution_environment = "EXECUTION_ENVIRONMENT_GEN2"
      service_account       = google_service_account.this["slice"].email
      timeout               = "7200s"

      # A repeat by the platform would get another two hours and go past our own counting of crashes.
      max_retries = 0

      containers {
        image   = local.images.job
        command = local.commands.slice

        resources {
          limits = { cpu = each.value.cpu, memory = each.value.memory }
        }

        dynamic "env" {
          for_each = local.environment
          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = local.secrets["slice"]
          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = env.value.secret
                version = env.value.version
              }
            }
          }
        }

        # Read-only, from the owner's own bucket.
        dynamic "volume_mounts" {
          for_each = local._knowledge
          content {
            name       = "knowledge"
            mount_path = local.knowledge_path
          }
        }
      }

      dynamic "volumes" {
        for_each = local._knowledge
        content {
          name = "knowledge"
          gcs {
            bucket    = volumes.value
            read_only = true
          }
        }
      }

      dynamic "vpc_access" {
        for_each = local.networks
        content {
          egress = "ALL_TRAFFIC"

          network_interfaces {
            network    = vpc_access.value.network
            subnetwork = vpc_access.value.subnetwork
            tags       = vpc_access.value.tags
          }
        }
      }
    }
  }

  depends_on = [google_project_service.this, google_secret_manager_secret_iam_member.model_key, google_secret_manager_secret_iam_member.own, google_storage_bucket_iam_member.knowledge_reader]
}

# What starting a job with overrides takes, and finding and ending the executions of a run that hear no cancel. The predefined
# roles that hold it can do more.
resource "google_project_iam_custom_role" "starter" {
  project     = var.project_id
  role_id     = "auterynSliceStarter"
  title       = "Auteryn slice starter"
  description = "Start an execution with overrides, list executions, cancel one."
  permissions = [
    "run.executions.cancel",
    "run.executions.list",
    "run.jobs.run",
    "run.jobs.runWithOverrides",
  ]
}

resource "google_cloud_run_v2_job_iam_member" "starter" {
  for_each = google_cloud_run_v2_job.slice

  project  = var.project_id
  location = each.value.location
  name     = each.value.name
  role     = google_project_iam_custom_role.starter.id
  member   = google_service_account.this["dispatch"].member
}
