# Bad input is refused before anything is made, naming the variable.

mock_provider "google" {}

mock_provider "google" {
  alias = "budgets"
}

run "nothing_that_cannot_be" {
  command = plan

  variables {
    alert_emails      = ["team"]
    api               = { max_instances = 1, min_instances = 2 }
    api_invokers      = ["team@example.com"]
    budget            = { amount = 0, billing_account = "01AB23-CD45EF-678901" }
    dispatch          = { concurrency = 0 }
    egress            = { allow = ["inside.example"], deny = ["https://evil.example"] }
    google_accounts   = { audience = "door", members = { "ann@example.com" = "root" } }
    image             = "us-central1-docker.pkg.dev/an-example-project/auteryn/auteryn:latest"
    kms_key           = "my-key"
    knowledge_bucket  = "gs://handbooks"
    labels            = { Team = "Shop" }
    model_location    = "Europe"
    models            = { fast = "one, two" }
    model_key_version = "latest"
    project_id        = "My Project"
    region            = "us-central1-a"
    spend_alert       = { credits_per_hour = 0 }
    slices            = { large = { cpu = "1", memory = "8Gi" } }
    secrets           = { GEMINI_API_KEY = { secret = "key", version = "1" } }
    tools             = ["shop tools"]
    vpc_egress        = { range = "10.0.0.0/28" }
  }

  expect_failures = [
    var.alert_emails,
    var.api,
    var.api_invokers,
    var.budget,
    var.dispatch,
    var.egress,
    var.google_accounts,
    var.image,
    var.kms_key,
    var.knowledge_bucket,
    var.labels,
    var.model_location,
    var.model_key_version,
    var.models,
    var.project_id,
    var.region,
    var.secrets,
    var.slices,
    var.spend_alert,
    var.tools,
    var.vpc_egress,
  ]
}

run "no_more_instances_at_once_than_a_service_takes" {
  command = plan

  variables {
    api        = { concurrency = 2000 }
    budget     = { amount = 10, billing_account = "my account" }
    project_id = "an-example-project"
    vpc_egress = { ports = ["smtp"] }
  }

  expect_failures = [var.api, var.budget, var.vpc_egress]
}

run "no_setting_that_this_folder_makes" {
  command = plan

  variables {
    project_id = "an-example-project"
    settings   = { AUTERYN_BUCKET = "other" }
  }

  expect_failures = [var.settings]
}

run "no_secret_in_a_setting" {
  command = plan

  variables {
    project_id = "an-example-project"
    settings   = { OTEL_EXPORTER_OTLP_HEADERS = "Authorization=Bearer abc" }
  }

  expect_failures = [var.settings]
}

run "no_secret_without_a_version_unless_it_is_made_here" {
  command = plan

  variables {
    project_id = "an-example-project"
    secrets    = { SLACK_BOT_TOKEN = { secret = "auteryn-slack" } }
  }

  expect_failures = [var.secrets]
}

run "no_reader_that_is_no_host" {
  command = plan

  variables {
    project_id = "an-example-project"
    secrets    = { SLACK_BOT_TOKEN = { readers = ["sandbox"], secret = "auteryn-slack", version = "1" } }
  }

  expect_failures = [var.secrets]
}

run "no_name_in_both" {
  command = plan

  variables {
    project_id = "an-example-project"
    secrets    = { AUTERYN_WEBHOOK_SHOP = { secret = "shop", version = "1" } }
    settings   = { AUTERYN_WEBHOOK_SHOP = "{}" }
  }

  expect_failures = [var.settings]
}
