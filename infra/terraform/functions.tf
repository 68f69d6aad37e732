# The two functions. `api` is the door, the one public service: it serves the API, streams, and FAST runs inside the request.
# Into `dispatch` come wakes from Cloud Tasks and steps from Pub/Sub, and the sweep of every minute, nothing else.

locals {
  _functions = {
    api = {
      audiences   = null
      environment = local.environment
      ingress     = "INGRESS_TRAFFIC_ALL"
      size        = var.api
      timeout     = "900s"
      watched     = local.alive_paths

      # Streams and the feed live beside requests: without CPU between them they stall.
      cpu_idle = false
    }
    dispatch = {
      audiences = [local.dispatch_url]
      environment = merge(local.environment, {
        AUTERYN_CALLERS   = join(",", [for caller in ["push", "sweep", "tasks"] : google_service_account.this[caller].email])
        AUTERYN_JOB       = google_cloud_run_v2_job.slice["small"].name
        AUTERYN_JOB_LARGE = google_cloud_run_v2_job.slice["large"].name
      })
      size    = var.dispatch
      timeout = "600s"
      watched = []

      # Cloud Tasks, Pub/Sub and Cloud Scheduler of the same project count as internal.
      ingress = "INGRESS_TRAFFIC_INTERNAL_ONLY"

      # All its work is inside requests.
      cpu_idle = true
    }
  }
}

resource "google_cloud_run_v2_service" "function" {
  for_each = local._functions

  project  = var.project_id
  name     = "auteryn-${each.key}"
  location = var.region
  ingress  = each.value.ingress
  labels   = local.labels

  # The audience of every token, whichever of its two addresses Cloud Run prefers.
  custom_audiences = each.value.audiences

  # Holds nothing: what a run is lies in the store.
  deletion_protection = false

  template {
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    labels                           = local.labels
    max_instance_request_concurrency = each.value.size.concurrency
    service_account                  = google_service_account.this[each.key].email
    timeout                          = each.value.timeout

    scaling {
      max_instance_count = each.value.size.max_instances
      min_instance_count = each.value.size.min_instances
    }

    containers {
      image   = local.images.service
      command = local.commands[each.key]

      resources {
        cpu_idle          = each.value.cpu_idle
        startup_cpu_boost = true
        limits            = { cpu = each.value.size.cpu, memory = each.value.size.memory }
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

      # Two minutes without an answer: nothing in here goes on. Whoever was connected resumes elsewhere. The store is not asked:
      # while it is away, a restart would only end what waits for it.
      dynamic "liveness_probe" {
        for_each = each.value.watched
        content {
          failure_threshold = 4
          period_seconds    = 30
          timeout_seconds   = 10

          http_get {
            path = liveness_probe.value
          }
        }
      }

      dynamic "env" {
        for_each = each.value.environment
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secrets[each.key]
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

resource "google_cloud_run_v2_service_iam_member" "api_invoker" {
  for_each = toset(var.api_invokers)

  project  = var.project_id
  location = google_cloud_run_v2_service.function["api"].location
  name     = google_cloud_run_v2_service.function["api"].name
  role     = "roles/run.invoker"
  member   = each.key
}

resource "google_cloud_run_v2_service_iam_member" "dispatch_invoker" {
  for_each = toset(["push", "sweep", "tasks"])

  project  = var.project_id
  location = google_cloud_run_v2_service.function["dispatch"].location
  name     = google_cloud_run_v2_service.function["dispatch"].name
  role     = "roles/run.invoker"
  member   = google_service_account.this[each.key].member
}
