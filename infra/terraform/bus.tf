# Ready steps go out (topic `steps`, pushed to dispatch); "something new in run X" goes round (topic `events`).

resource "google_pubsub_topic" "steps" {
  project      = var.project_id
  name         = "auteryn-steps"
  kms_key_name = var.kms_key
  labels       = local.labels

  depends_on = [google_project_service.this]
}

resource "google_pubsub_subscription" "steps" {
  project              = var.project_id
  name                 = "auteryn-steps-dispatch"
  topic                = google_pubsub_topic.steps.id
  ack_deadline_seconds = 600
  labels               = local.labels

  # The sweeper publishes again what was not heard of: a day is long.
  message_retention_duration = "86400s"

  push_config {
    push_endpoint = "${local.dispatch_url}/steps"

    oidc_token {
      audience              = local.dispatch_url
      service_account_email = google_service_account.this["push"].email
    }
  }

  retry_policy {
    maximum_backoff = "600s"
    minimum_backoff = "10s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead.id
    max_delivery_attempts = 10
  }

  # Never: the default forgets a subscription after 31 idle days.
  expiration_policy {
    ttl = ""
  }

  depends_on = [google_cloud_run_v2_service_iam_member.dispatch_invoker]
}

resource "google_pubsub_topic" "dead" {
  project      = var.project_id
  name         = "auteryn-steps-dead"
  kms_key_name = var.kms_key
  labels       = local.labels

  depends_on = [google_project_service.this]
}

# A dead-letter topic nobody subscribes to loses its messages.
resource "google_pubsub_subscription" "dead" {
  project                    = var.project_id
  name                       = "auteryn-steps-dead"
  topic                      = google_pubsub_topic.dead.id
  ack_deadline_seconds       = 60
  labels                     = local.labels
  message_retention_duration = "2678400s" # 31 days, the most

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub itself moves the dead ones.
resource "google_pubsub_topic_iam_member" "dead_letterer" {
  project = var.project_id
  topic   = google_pubsub_topic.dead.id
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${local.agents.pubsub}"
}

resource "google_pubsub_subscription_iam_member" "dead_letterer" {
  project      = var.project_id
  subscription = google_pubsub_subscription.steps.id
  role         = "roles/pubsub.subscriber"
  member       = "serviceAccount:${local.agents.pubsub}"
}

resource "google_pubsub_topic" "events" {
  project      = var.project_id
  name         = "auteryn-events"
  kms_key_name = var.kms_key
  labels       = local.labels

  depends_on = [google_project_service.this]
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = {
    for pair in setproduct(local.hosts, ["events", "steps"]) : "${pair[0]}-${pair[1]}" => { host = pair[0], topic = pair[1] }
  }

  project = var.project_id
  topic   = { events = google_pubsub_topic.events.id, steps = google_pubsub_topic.steps.id }[each.value.topic]
  role    = "roles/pubsub.publisher"
  member  = google_service_account.this[each.value.host].member
}

# Every API instance hears `events` by an expiring subscription that it makes, reads and deletes itself.
resource "google_project_iam_custom_role" "feed" {
  project     = var.project_id
  role_id     = "auterynFeed"
  title       = "Auteryn feed"
  description = "Make, read and delete subscriptions. Which topics they may hear is granted on the topics."
  permissions = [
    "pubsub.subscriptions.consume",
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.delete",
  ]
}

# On the whole project: a subscription that is yet to be made has no policy of its own.
resource "google_project_iam_member" "feed" {
  project = var.project_id
  role    = google_project_iam_custom_role.feed.id
  member  = google_service_account.this["api"].member
}

resource "google_project_iam_custom_role" "listener" {
  project     = var.project_id
  role_id     = "auterynListener"
  title       = "Auteryn listener"
  description = "Attach a subscription to a topic."
  permissions = ["pubsub.topics.attachSubscription"]
}

resource "google_pubsub_topic_iam_member" "feed" {
  project = var.project_id
  topic   = google_pubsub_topic.events.id
  role    = google_project_iam_custom_role.listener.id
  member  = google_service_account.this["api"].member
}
