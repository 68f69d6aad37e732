# Wake a run at a time: Cloud Tasks calls dispatch.

resource "google_cloud_tasks_queue" "wakes" {
  project  = var.project_id
  name     = "auteryn-wakes"
  location = var.region

  rate_limits {
    max_concurrent_dispatches = 500
    max_dispatches_per_second = 500
  }

  # Both must be over before a wake is given up, without a word; the sweeper finds its run then.
  retry_config {
    max_attempts       = 100
    max_backoff        = "300s"
    max_doublings      = 8
    max_retry_duration = "86400s"
    min_backoff        = "1s"
  }

  depends_on = [google_project_service.this]
}

resource "google_cloud_tasks_queue_iam_member" "enqueuer" {
  for_each = local.hosts

  project  = var.project_id
  location = google_cloud_tasks_queue.wakes.location
  name     = google_cloud_tasks_queue.wakes.name
  role     = "roles/cloudtasks.enqueuer"
  member   = google_service_account.this[each.key].member
}
