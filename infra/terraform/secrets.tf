# What tools and notifications are set up with, beside what this folder knows itself: plain settings, and secrets by reference.
# A secret itself never passes through Terraform, so it is in no plan and no state file.

locals {
  # Equal to SETTINGS and SECRETS of the code. A name that ends in _ stands for all that begin with it.
  setting_names = [
    "AUTERYN_CONFLUENCE_URL",
    "AUTERYN_CONFLUENCE_USER",
    "AUTERYN_CREDENTIAL_",
    "AUTERYN_KB",
    "AUTERYN_MAIL_FROM",
    "AUTERYN_PUBLIC_URL",
    "AUTERYN_SANDBOX",
    "AUTERYN_SEARXNG_URL",
    "AUTERYN_SLACK_URL",
    "AUTERYN_TRACE_URL",
    "AUTERYN_WEBHOOK_",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_VERTEX_BASE_URL",
    "OTEL_",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
  ]
  secret_names = [
    "AUTERYN_SECRET_",
    "AUTERYN_SMTP_URL",
    "AUTERYN_WEBHOOK_",
    "BRAVE_API_KEY",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "SLACK_BOT_TOKEN",
    "TAVILY_API_KEY",
  ]

  # By host: variable → secret and version.
  _own = {
    for host in local.hosts : host => {
      for name, one in var.secrets : name => { secret = one.secret, version = one.version }
      if one.version != null && contains(one.readers, host)
    }
  }
  secrets = { for host, own in local._own : host => merge(local.model_secrets, own) }
}

# Only the places. What is in them: gcloud secrets versions add NAME --data-file=-
resource "google_secret_manager_secret" "own" {
  for_each = toset([for one in values(var.secrets) : one.secret if one.create])

  project   = var.project_id
  secret_id = each.key
  labels    = local.labels

  deletion_protection = var.deletion_protection

  replication {
    auto {}
  }

  depends_on = [google_project_service.this]
}

# Each host reads what it is given, and no other secret.
resource "google_secret_manager_secret_iam_member" "own" {
  for_each = toset(flatten([for host, own in local._own : [for one in values(own) : "${host}/${one.secret}"]]))

  project   = var.project_id
  secret_id = "projects/${var.project_id}/secrets/${split("/", each.key)[1]}"
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this[split("/", each.key)[0]].member

  depends_on = [google_secret_manager_secret.own]
}
