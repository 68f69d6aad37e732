terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 8.0"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}

# Budgets belong to the billing account: whoever signed in as a person must say whose quota the call counts against. Only here,
# as every call would need the right to use services otherwise, which the build account does not have.
provider "google" {
  alias                 = "budgets"
  billing_project       = var.project_id
  project               = var.project_id
  user_project_override = true
}
