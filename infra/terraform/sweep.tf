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
