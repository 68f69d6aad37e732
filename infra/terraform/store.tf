# The truth: runs, journals, inboxes, leases, small documents in Firestore.

resource "google_firestore_database" "store" {
  project     = var.project_id
  name        = "auteryn"
  location_id = var.region
  type        = "FIRESTORE_NATIVE"

  # Commits are one-RPC compare-and-set; nothing of ours takes a lock.
  concurrency_mode                  = "OPTIMISTIC"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.deletion_protection ? "ABANDON" : "DELETE"
  point_in_time_recovery_enablement = var.point_in_time_recovery ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"

  dynamic "cmek_config" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = cmek_config.value
    }
  }

  depends_on = [google_project_service.this]
}

locals {
  # Production refuses a query without its index. The emulator does not, so nothing but the comparison with the code finds a
  # missing one before a deployment. For several equalities Firestore joins indexes of equal order.
  _indexes = {
    docs-listed       = { collection = "docs", fields = [["kind", "ASCENDING"], ["scope", "ASCENDING"], ["at", "ASCENDING"], ["written", "ASCENDING"]] }
    runs-by-status    = { collection = "runs", fields = [["status", "ASCENDING"], ["created_at", "DESCENDING"]] }
    runs-children     = { collection = "runs", fields = [["parent", "ASCENDING"], ["created_at", "DESCENDING"]] }
    runs-of-owner     = { collection = "runs", fields = [["owner", "ASCENDING"], ["created_at", "DESCENDING"]] }
    runs-of-owner-top = { collection = "runs", fields = [["owner", "ASCENDING"], ["parent", "ASCENDING"], ["created_at", "DESCENDING"]] }
  }

  # Searched over all runs at once, which no field's own index covers.
  _field_indexes = {
    "inbox/state"  = ["COLLECTION", "COLLECTION_GROUP"]
    "lease/due_at" = ["COLLECTION_GROUP"]
  }

  # What nobody queries by: an indexed value costs a write each time it changes, and one that only rises caps its collection
  # at 500 writes a second.
  _unindexed = [
    "docs/body",
    "docs/by",
    "inbox/bodies",
    "inbox/by",
    "inbox/place",
    "journal/body",
    "journal/commit",
    "lease/by",
    "lease/spoken",
    "lease/until",
    "lease/wake_at",
    "runs/aside",
    "runs/body",
  ]
}

resource "google_firestore_index" "this" {
  for_each = local._indexes

  project     = var.project_id
  database    = google_firestore_database.store.name
  collection  = each.value.collection
  query_scope = "COLLECTION"

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value[0]
      order      = fields.value[1]
    }
  }
}

resource "google_firestore_field" "indexed" {
  for_each = local._field_indexes

  project    = var.project_id
  database   = google_firestore_database.store.name
  collection = split("/", each.key)[0]
  field      = split("/", each.key)[1]

  index_config {
    dynamic "indexes" {
      for_each = each.value
      content {
        order       = "ASCENDING"
        query_scope = indexes.value
      }
    }
  }
}

resource "google_firestore_field" "unindexed" {
  for_each = toset(local._unindexed)

  project    = var.project_id
  database   = google_firestore_database.store.name
  collection = split("/", each.key)[0]
  field      = split("/", each.key)[1]

  # No index inside: none is kept.
  index_config {}
}

# Firestore's IAM is database-wide: runs are kept apart by the code, test and production by projects.
resource "google_project_iam_member" "store_user" {
  for_each = local.hosts

  project = var.project_id
  role    = "roles/datastore.user"
  member  = google_service_account.this[each.key].member

  condition {
    title      = "auteryn-database-only"
    expression = "resource.name == \"${google_firestore_database.store.id}\""
  }
}
