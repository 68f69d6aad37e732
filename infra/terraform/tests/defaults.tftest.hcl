# What a newcomer gets: only project_id is given.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

mock_provider "google" {
  alias = "budgets"
}

variables {
  project_id = "an-example-project"
}

run "apply" {
  command = apply

  assert {
    condition     = output.endpoint == "https://auteryn-api-123456789012.us-central1.run.app"
    error_message = "The endpoint must be the public service's address."
  }

  assert {
    condition     = google_cloud_run_v2_service.function["api"].template[0].containers[0].image == "us-docker.pkg.dev/cloudrun/container/hello"
    error_message = "Without an image, the hello image must stand in."
  }

  assert {
    condition     = length(google_compute_network.egress) == 0 && length(google_billing_budget.this) == 0
    error_message = "No network and no budget unless asked for."
  }

  assert {
    condition     = length(google_project_iam_member.model_user) == 3 && length(google_secret_manager_secret_iam_member.model_key) == 0
    error_message = "Without a key, the three hosts must reach Vertex AI by their accounts."
  }

  assert {
    condition     = google_firestore_database.store.delete_protection_state == "DELETE_PROTECTION_ENABLED"
    error_message = "The database must be protected unless said otherwise."
  }
}

run "tear_down_is_possible" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = google_firestore_database.store.deletion_policy == "DELETE" && google_storage_bucket.blobs.force_destroy
    error_message = "With deletion_protection = false a destroy must leave nothing."
  }
}
