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

# Asking a model, and no more: the predefined role also starts training jobs, at this project's cost, for whoever has the token.
resource "google_project_iam_custom_role" "thinker" {
  count = local._by_key ? 0 : 1

  project     = var.project_id
  role_id     = "auterynThinker"
  title       = "Auteryn thinker"
  description = "Ask a model of Vertex AI."
  permissions = ["aiplatform.endpoints.predict"]
}

resource "google_project_iam_member" "model_user" {
  for_each = local._by_key ? toset([]) : local.hosts

  project = var.project_id
  role    = google_project_iam_custom_role.thinker[0].id
  member  = google_service_account.this[each.key].member
}
