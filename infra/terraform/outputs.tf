output "build_account" {
  description = "Service account for Cloud Build (gcloud builds submit --service-account)."
  value       = google_service_account.this["build"].name
}

output "database" {
  description = "Id of the Firestore database that holds the runs."
  value       = google_firestore_database.store.name
}

output "endpoint" {
  description = "Address of the API: Agent(endpoint=…)."
  value       = local.api_url
}

output "image" {
  description = "The image that is rolled out; null while the hello image stands in."
  value       = var.image
}

output "kms_agents" {
  description = "Google's service agents that need roles/cloudkms.cryptoKeyEncrypterDecrypter on kms_key."
  value       = sort([for name, email in local.agents : email])
}

output "repository" {
  description = "Where the image is pushed to."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "sandbox_account" {
  description = "The account without a role, for code the model wrote."
  value       = google_service_account.this["sandbox"].email
}

output "state_bucket" {
  description = "Where the state of this folder belongs once more than one machine applies it."
  value       = google_storage_bucket.state.name
}
