# Bytes by their hash: artifacts, long bodies, snapshots.

resource "google_storage_bucket" "blobs" {
  project  = var.project_id
  name     = "${var.project_id}-auteryn-blobs"
  location = var.region
  labels   = local.labels

  force_destroy               = !var.deletion_protection
  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  # A name is the hash of its bytes: there is nothing to keep versions of.
  versioning {
    enabled = false
  }

  # Orphans of refused commits go, and what nobody reads any more. A live run's blob is written anew before that.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 90
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  # Seven days to take back a deletion.
  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this]
}

# Objects only: nobody who runs the model's work may change the bucket.
resource "google_storage_bucket_iam_member" "blobs_user" {
  for_each = local.hosts

  bucket = google_storage_bucket.blobs.name
  role   = "roles/storage.objectUser"
  member = google_service_account.this[each.key].member
}
