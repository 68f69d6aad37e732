# Think: Gemini by Vertex AI and the service accounts, or by an API key from Secret Manager.

locals {
  _by_key = var.model_key_version != null

  model_environment = local._by_key ? {} : {
    GOOGLE_CLOUD_LOCATION     = var.model_location
    GOOGLE_GENAI_USE_VERTEXAI = "true"
  }
  model_secrets = local._by_key ? {
    GEMINI_API_KEY = { secret = google_secret_manager_secret.model_key.secret_id, version = var.model_key_version }
  } : {}
}

# Only its place: the key itself never passes through Terraform, so it is in no state file.
#   gcloud secrets versions add auteryn-gemini-key --data-file=-
resource "google_secret_manager_secret" "model_key" {
  project   = var.project_id
  secret_id = "auteryn-gemini-key"
  labels    = local.labels

  deletion_protection = var.deletion_protection

  replication {
    auto {}
  }

  depends_on = [google_project_service.this]
}

resource "google_secret_manager_secret_iam_member" "model_key" {
  for_each = local._by_key ? local.hosts : toset([])

  project   = var.project_id
  secret_id = google_secret_manager_secret.model_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this[each.key].member
}

resource "google_project_iam_member" "model_user" {
  for_each = local._by_key ? toset([]) : local.hosts

  project = var.project_id
  role    = "roles/aiplatform.user"
  member  = google_service_account.this[each.key].member
}
