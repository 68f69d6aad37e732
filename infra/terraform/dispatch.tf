# The private service: wakes from Cloud Tasks, steps from Pub/Sub, and the sweep of every minute come in here, nothing else.

locals {
  _dispatch_environment = merge(local.environment, {
    AUTERYN_CALLERS   = join(",", [for caller in ["push", "sweep", "tasks"] : google_service_account.this[caller].email])
    AUTERYN_JOB       = google_cloud_run_v2_job.slice["small"].name
    AUTERYN_JOB_LARGE = google_cloud_run_v2_job.slice["large"].name
  })
}

resource "google_cloud_run_v2_service" "dispatch" {
  project  = var.project_id
  name     = "auteryn-dispatch"
  location = var.region
  labels   = local.labels

  # Cloud Tasks, Pub/Sub and Cloud Scheduler of the same project count as internal.
  ingress = "INGRESS_TRAFFIC_INTERNAL_ONLY"

  # The audience of every token, whichever of its two addresses Cloud Run prefers.
  custom_audiences = [local.dispatch_url]

  # Holds nothing: what a run is lies in the store.
  deletion_protection = false

  template {
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    labels                           = local.labels
    max_instance_request_concurrency = var.dispatch.concurrency
    service_account                  = google_service_account.this["dispatch"].email
    timeout                          = "600s"

    scaling {
      max_instance_count = var.dispatch.max_instances
      min_instance_count = var.dispatch.min_instances
    }

    containers {
      image   = local.images.service
      command = local.commands.dispatch

      resources {
        # All its work is inside requests.
        cpu_idle          = true
        startup_cpu_boost = true
        limits            = { cpu = var.dispatch.cpu, memory = var.dispatch.memory }
      }

      # Composed before the first request comes, which else would pay for it.
      dynamic "startup_probe" {
        for_each = local.health_paths
        content {
          failure_threshold = 24
          period_seconds    = 5
          timeout_seconds   = 5

          http_get {
            path = startup_probe.value
          }
        }
      }

      dynamic "env" {
        for_each = local._dispatch_environment
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secrets["dispatch"]
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

  depends_on = [google_project_service.this, google_secret_manager_secret_iam_member.model_key, google_secret_manager_secret_iam_member.own, google_storage_bucket_iam_member.knowledge_reader]
}

resource "google_cloud_run_v2_service_iam_member" "dispatch_invoker" {
  for_each = toset(["push", "sweep", "tasks"])

  project  = var.project_id
  location = google_cloud_run_v2_service.dispatch.location
  name     = google_cloud_run_v2_service.dispatch.name
  role     = "roles/run.invoker"
  member   = google_service_account.this[each.key].member
}

# Queues may drop and services may die: once a minute everything that is due is found in the store.
resource "google_cloud_scheduler_job" "sweep" {
  project          = var.project_id
  name             = "auteryn-sweep"
  description      = "Finds runs that are due and that nobody told dispatch of"
  region           = var.region
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "180s"

  http_target {
    http_method = "POST"
    uri         = "${local.dispatch_url}/sweep"

    oidc_token {
      audience              = local.dispatch_url
      service_account_email = google_service_account.this["sweep"].email
    }
  }

  # The next minute brings the next sweep.
  retry_config {
    retry_count = 0
  }

  depends_on = [google_cloud_run_v2_service_iam_member.dispatch_invoker]
}
