# The door: the one public service. It serves the API, streams, and FAST runs inside the request.

resource "google_cloud_run_v2_service" "api" {
  project  = var.project_id
  name     = "auteryn-api"
  location = var.region
  ingress  = "INGRESS_TRAFFIC_ALL"
  labels   = local.labels

  # Holds nothing: what a run is lies in the store.
  deletion_protection = false

  template {
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    labels                           = local.labels
    max_instance_request_concurrency = var.api.concurrency
    service_account                  = google_service_account.this["api"].email
    timeout                          = "900s"

    scaling {
      max_instance_count = var.api.max_instances
      min_instance_count = var.api.min_instances
    }

    containers {
      image   = local.images.service
      command = local.commands.api

      resources {
        # Streams and the feed live beside requests: without CPU between them they stall.
        cpu_idle          = false
        startup_cpu_boost = true
        limits            = { cpu = var.api.cpu, memory = var.api.memory }
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

      # Two minutes without an answer: nothing in here goes on. Whoever was connected resumes elsewhere.
      dynamic "liveness_probe" {
        for_each = local.health_paths
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
        for_each = local.environment
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secrets["api"]
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
  location = google_cloud_run_v2_service.api.location
  name     = google_cloud_run_v2_service.api.name
  role     = "roles/run.invoker"
  member   = each.key
}
