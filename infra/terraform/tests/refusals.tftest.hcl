# Bad input is refused before anything is made, naming the variable.

mock_provider "google" {}

variables {
  project_id = "an-example-project"
}

run "a_project_name_is_no_id" {
  command = plan

  variables {
    project_id = "My Project"
  }

  expect_failures = [var.project_id]
}

run "a_zone_is_no_region" {
  command = plan

  variables {
    region = "us-central1-a"
  }

  expect_failures = [var.region]
}

run "a_tag_is_no_digest" {
  command = plan

  variables {
    image = "us-central1-docker.pkg.dev/an-example-project/auteryn/auteryn:latest"
  }

  expect_failures = [var.image]
}

run "latest_is_no_version" {
  command = plan

  variables {
    model_key_version = "latest"
  }

  expect_failures = [var.model_key_version]
}

run "a_range_too_narrow" {
  command = plan

  variables {
    vpc_egress = { range = "10.0.0.0/28" }
  }

  expect_failures = [var.vpc_egress]
}

run "an_address_without_a_place" {
  command = plan

  variables {
    alert_emails = ["team"]
  }

  expect_failures = [var.alert_emails]
}

run "a_member_without_a_kind" {
  command = plan

  variables {
    api_invokers = ["team@example.com"]
  }

  expect_failures = [var.api_invokers]
}

run "a_key_that_is_no_key" {
  command = plan

  variables {
    kms_key = "my-key"
  }

  expect_failures = [var.kms_key]
}

run "fewer_at_most_than_at_least" {
  command = plan

  variables {
    api = { max_instances = 1, min_instances = 2 }
  }

  expect_failures = [var.api]
}

run "a_budget_of_nothing" {
  command = plan

  variables {
    budget = { amount = 0, billing_account = "01AB23-CD45EF-678901" }
  }

  expect_failures = [var.budget]
}
