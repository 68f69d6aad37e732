# What the options do.

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

run "a_key_replaces_vertex" {
  command = plan

  variables {
    model_key_version = "2"
  }

  assert {
    condition     = length(google_project_iam_member.model_user) == 0 && length(google_secret_manager_secret_iam_member.model_key) == 3
    error_message = "With a key, the hosts read the secret and no longer reach Vertex AI."
  }
}

run "a_release_runs_our_commands" {
  command = plan

  variables {
    image = "us-central1-docker.pkg.dev/an-example-project/auteryn/auteryn@sha256:abababababababababababababababababababababababababababababababab"
  }

  assert {
    condition     = alltrue([for job in google_cloud_run_v2_job.slice : job.template[0].template[0].containers[0].command == tolist(["python", "/app/functions/slice/main.py"])])
    error_message = "The job must start functions/slice."
  }
}

run "egress_makes_a_network" {
  command = plan

  variables {
    vpc_egress = {}
  }

  assert {
    condition     = length(google_compute_firewall.egress) == 3 && google_compute_subnetwork.egress[0].private_ip_google_access
    error_message = "Egress needs its firewall, and Google's APIs from inside."
  }
}

run "a_budget_and_mails" {
  command = plan

  variables {
    alert_emails = ["team@example.com"]
    budget       = { amount = 100, billing_account = "01AB23-CD45EF-678901" }
  }

  assert {
    condition     = length(google_monitoring_notification_channel.email) == 1 && google_billing_budget.this[0].amount[0].specified_amount[0].units == "100"
    error_message = "A budget needs its amount, an address its channel."
  }
}

run "a_budget_tells_five_addresses_and_no_more" {
  command = plan

  variables {
    alert_emails = [for place in range(7) : "team${place}@example.com"]
    budget       = { amount = 100, billing_account = "01AB23-CD45EF-678901" }
  }

  assert {
    condition     = length(google_monitoring_notification_channel.email) == 7 && length(google_billing_budget.this[0].all_updates_rule) == 1
    error_message = "Alerts go to everybody, the budget's to as many as it takes."
  }
}

run "a_budget_without_addresses_is_told_to_the_billing_admins" {
  command = plan

  variables {
    budget = { amount = 100, billing_account = "01AB23-CD45EF-678901" }
  }

  assert {
    condition     = length(google_billing_budget.this[0].all_updates_rule) == 0
    error_message = "A rule without channels is refused."
  }
}

run "mail_leaves_through_the_network_too" {
  command = plan

  variables {
    vpc_egress = { ports = ["587"] }
  }

  assert {
    condition     = toset(flatten(google_compute_firewall.egress["allow-web"].allow[*].ports)) == toset(["80", "443", "587"])
    error_message = "What the deployment sends mail through must be let out."
  }
}

run "a_closed_door" {
  command = plan

  variables {
    api_invokers = ["group:team@example.com"]
  }

  assert {
    condition     = keys(google_cloud_run_v2_service_iam_member.api_invoker) == ["group:team@example.com"]
    error_message = "api_invokers must be the only ones invited."
  }
}

run "a_secret_is_made_before_anybody_gets_it" {
  command = plan

  variables {
    secrets = { SLACK_BOT_TOKEN = { create = true, secret = "auteryn-slack" } }
  }

  assert {
    condition     = keys(google_secret_manager_secret.own) == ["auteryn-slack"] && length(google_secret_manager_secret_iam_member.own) == 0
    error_message = "Without a version there must be an empty secret, and nobody who reads it."
  }
}

run "a_secret_goes_to_its_readers" {
  command = plan

  variables {
    secrets  = { SLACK_BOT_TOKEN = { readers = ["dispatch", "slice"], secret = "company-slack", version = "latest" } }
    settings = { AUTERYN_PUBLIC_URL = "https://agents.example.com" }
  }

  assert {
    condition     = length(google_secret_manager_secret.own) == 0 && keys(google_secret_manager_secret_iam_member.own) == ["dispatch/company-slack", "slice/company-slack"]
    error_message = "An existing secret must be readable by those who get it, and by nobody else."
  }

  assert {
    condition     = !anytrue([for one in google_cloud_run_v2_service.function["api"].template[0].containers[0].env : one.name == "SLACK_BOT_TOKEN"])
    error_message = "The api was not among the readers."
  }

  assert {
    condition     = [for one in google_cloud_run_v2_service.function["api"].template[0].containers[0].env : one.value if one.name == "AUTERYN_PUBLIC_URL"] == ["https://agents.example.com"]
    error_message = "An address of one's own must take the place of the service's."
  }
}
