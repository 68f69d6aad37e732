# What kb_search answers from: a bucket of documents, mounted where every host reads it and nobody writes. It is the owner's own,
# made and filled elsewhere; a new process reads it anew, so hundreds of documents are fine, and thousands want a search service.

locals {
  _knowledge     = var.knowledge_bucket == null ? [] : [var.knowledge_bucket]
  knowledge_path = "/knowledge"
}

resource "google_storage_bucket_iam_member" "knowledge_reader" {
  for_each = toset([for host in local.hosts : host if length(local._knowledge) > 0])

  bucket = var.knowledge_bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.this[each.key].member
}
